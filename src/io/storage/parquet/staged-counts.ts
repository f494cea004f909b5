import type { Partition } from './staging.ts';

/** How many rows wait for a file in each partition, and which partition is the next to become one. */
export interface StagedCounts {
  /** Of all partitions. */
  readonly total: number;
  /** Whether so many are staged that no more should come. */
  isFull(): boolean;
  /** Notes rows that have been staged, or have left again when `rows` is negative. */
  add(partition: Partition, rows: number): void;
  /** Makes everything due that is staged now, whatever its size. */
  sweep(): void;
  /** Whether what the last sweep made due has become files. */
  isSwept(): boolean;
  /** The largest partition that is due: it fills a file, was swept, or too much is staged. `null` when none is. */
  nextDue(): DuePartition | null;
}

export interface DuePartition {
  readonly partition: Partition;
  /** Notes the file that it has become: so many rows, `null` when it turned out to have none. */
  written(rows: number | null): void;
}

interface Count {
  readonly partition: Partition;
  rows: number;
  /** Due whatever its size. */
  isSwept: boolean;
}

/** The writer is held back when staging holds as much as this many full files. */
const MAX_STAGED_FILES = 4;

/** @param fileRows so many rows make a file, and no file has more */
export function stagedCounts(fileRows: number): StagedCounts {
  const counts = new Map<string, Count>();
  let total = 0;
  const isFull = () => total >= fileRows * MAX_STAGED_FILES;

  /** May go below zero for a moment: a file can take rows before their commit has been reported here. */
  function add(partition: Partition, rows: number): void {
    const key = `${partition.table}/${partition.date}`;
    const known = counts.get(key) ?? { partition, rows: 0, isSwept: false };
    counts.set(key, known);
    known.rows += rows;
    total += rows;
    if (known.rows === 0) counts.delete(key);
  }

  function written(count: Count, rows: number | null): void {
    // Fewer rows than a file may have are all there were; later ones wait for the next sweep.
    if (rows === null || rows < fileRows) count.isSwept = false;
    add(count.partition, rows === null ? -count.rows : -rows);
  }

  return {
    get total() {
      return total;
    },
    isFull,
    add,
    sweep() {
      for (const count of counts.values()) count.isSwept = count.rows > 0;
    },
    isSwept: () => [...counts.values()].every(({ isSwept }) => !isSwept),
    nextDue() {
      const byRows = [...counts.values()].filter(({ rows }) => rows > 0).sort((a, b) => b.rows - a.rows);
      const due = byRows.find(({ rows, isSwept }) => rows >= fileRows || isSwept || isFull());
      return due === undefined ? null : { partition: due.partition, written: (rows) => written(due, rows) };
    },
  };
}
