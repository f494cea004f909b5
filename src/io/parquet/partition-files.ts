import { mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { exists, type FileSteps, fileSteps } from './file-steps.ts';
import type { Partition, Staging } from './staging.ts';
import { TABLES, type Table } from './tables.ts';

export interface WrittenFile extends Partition {
  readonly path: string;
  readonly rows: number;
}

/** Rows that turned out to be in a file already, and left the staging table. */
export interface RecoveredRows extends Partition {
  readonly rows: number;
}

/**
 * Turns staged rows into finished files `DIR/<table>/date=<date>/<first>-<last>.parquet`, named after the first and last
 * staging position in them. Each row is in exactly one file, whatever happens in between:
 *
 * 1. a hidden file is written, and synced;
 * 2. it is renamed, and the folder is synced: from now on it is the truth;
 * 3. its rows leave the staging table.
 *
 * A crash before the rename leaves the rows and a hidden file to remove; a crash after it leaves a file whose range says
 * which rows to remove. {@link PartitionFiles.recover} does both, at start and after any failure.
 */
export interface PartitionFiles {
  recover(): Promise<RecoveredRows[]>;
  /** Writes the oldest `maxRows` rows of the partition; `null` when it has none. */
  writeOldest(partition: Partition, maxRows: number): Promise<WrittenFile | null>;
}

export interface PartitionFilesOptions {
  readonly directory: string;
  readonly staging: Staging;
  readonly steps?: FileSteps;
}

const HIDDEN_PREFIX = '.tmp-';
const FINISHED = /^(\d+)-(\d+)\.parquet$/;
const DATE_FOLDER = /^date=(\d{4}-\d{2}-\d{2})$/;
const POSITION_DIGITS = 15;
const PAGE_ROWS = 500;

export function partitionFiles({ directory, staging, steps = fileSteps }: PartitionFilesOptions): PartitionFiles {
  return {
    async recover() {
      const recovered: RecoveredRows[] = [];
      let highest = 0;
      for (const table of TABLES) {
        for (const date of await datesOf(join(directory, table))) {
          const partition = { table, date };
          let rows = 0;
          for (const { first, last } of await finishedRanges(folderOf(directory, partition))) {
            rows += await staging.remove(partition, first, last);
            highest = Math.max(highest, last);
          }
          if (rows > 0) recovered.push({ ...partition, rows });
        }
      }
      // Only a lost database makes a difference here: its positions would start again and name other rows.
      await staging.continueAfter(highest);
      return recovered;
    },

    async writeOldest(partition, maxRows) {
      const folder = folderOf(directory, partition);
      await makeFolder(directory, partition, steps);
      const first = (await staging.page(partition, 0, 1))[0]?.position;
      if (first === undefined) return null;
      const written = { last: first, rows: 0 };
      const hidden = join(folder, `${HIDDEN_PREFIX}${first}`);
      await steps.write(hidden, partition.table, oldestRows(staging, partition, maxRows, written));
      await steps.sync(hidden);
      const path = join(folder, `${digits(first)}-${digits(written.last)}.parquet`);
      await steps.publish(hidden, path);
      await steps.sync(folder);
      await staging.remove(partition, first, written.last);
      return { ...partition, path, rows: written.rows };
    },
  };
}

/** The rows themselves; `written` follows along. */
async function* oldestRows(
  staging: Staging,
  partition: Partition,
  maxRows: number,
  written: { last: number; rows: number },
): AsyncGenerator<string> {
  let after = 0;
  while (written.rows < maxRows) {
    const page = await staging.page(partition, after, Math.min(PAGE_ROWS, maxRows - written.rows));
    if (page.length === 0) return;
    for (const { position, row } of page) {
      yield row;
      after = position;
      written.last = position;
      written.rows++;
    }
  }
}

function folderOf(directory: string, { table, date }: { table: Table; date: string }): string {
  return join(directory, table, `date=${date}`);
}

/** A new folder is on stable storage only when the folder that names it is. */
async function makeFolder(directory: string, partition: Partition, steps: FileSteps): Promise<void> {
  const folder = folderOf(directory, partition);
  if (await exists(folder)) return;
  await mkdir(folder, { recursive: true });
  await steps.sync(join(directory, partition.table));
  await steps.sync(directory);
}

async function datesOf(tableFolder: string): Promise<string[]> {
  if (!(await exists(tableFolder))) return [];
  const names = await readdir(tableFolder);
  return names.flatMap((name) => DATE_FOLDER.exec(name)?.[1] ?? []);
}

/** The ranges of the finished files in a folder; unfinished ones are removed on the way. */
async function finishedRanges(folder: string): Promise<{ first: number; last: number }[]> {
  const ranges: { first: number; last: number }[] = [];
  for (const name of await readdir(folder)) {
    if (name.startsWith(HIDDEN_PREFIX)) await unlink(join(folder, name));
    const match = FINISHED.exec(name);
    if (match !== null) ranges.push({ first: Number(match[1]), last: Number(match[2]) });
  }
  return ranges;
}

function digits(position: number): string {
  return String(position).padStart(POSITION_DIGITS, '0');
}
