import {
  defer,
  filter,
  firstValueFrom,
  interval,
  Observable,
  type SchedulerLike,
  Subject,
  type Subscription,
} from 'rxjs';
import { type RetryForeverOptions, retryForever } from '../../../streams/flow/retry-forever.ts';
import type { PartitionFiles, WrittenFile } from './partition-files.ts';
import type { PartitionedRow } from './rows.ts';
import type { Partition, Staging } from './staging.ts';

export interface FlusherOptions {
  readonly files: PartitionFiles;
  readonly staging: Staging;
  /** A partition with this many staged rows becomes a file, and no file has more. */
  readonly rotateRows: number;
  /** Every staged row becomes part of a file at least this often. */
  readonly rotateMs: number;
  readonly scheduler: SchedulerLike;
  readonly onFailure: RetryForeverOptions['onFailure'];
}

/** Moves staged rows into Parquet files, one file at a time. */
export interface ParquetFlusher {
  /** The work itself: subscribe once. Emits each finished file; never completes, never errors: failures are retried. */
  readonly files$: Observable<WrittenFile>;
  /** Says that rows have been committed to the staging table. */
  staged(rows: readonly PartitionedRow[]): void;
  /** Resolves when few enough rows are staged for more to come. */
  room(): Promise<void>;
  /** Resolves when everything staged up to now is in files. */
  flush(): Promise<void>;
  readonly stagedRows: number;
}

interface StagedCount {
  readonly partition: Partition;
  rows: number;
  /** Due whatever its size. */
  isSwept: boolean;
}

/** The writer is held back when staging holds as much as this many full files. */
const MAX_STAGED_FILES = 4;

/** Makes a flusher over what is staged already; recovers from an earlier crash first. */
export async function parquetFlusher(options: FlusherOptions): Promise<ParquetFlusher> {
  const { files, staging, rotateRows, rotateMs, scheduler, onFailure } = options;
  await files.recover();
  const counts = new Map<string, StagedCount>();
  let total = 0;
  const changed$ = new Subject<void>();
  let recoveryDue = false;

  /** May go below zero for a moment: a file can take rows before their commit has been reported here. */
  const count = (partition: Partition, rows: number) => {
    const key = `${partition.table}/${partition.date}`;
    const known = counts.get(key) ?? { partition, rows: 0, isSwept: false };
    counts.set(key, known);
    known.rows += rows;
    total += rows;
    if (known.rows === 0) counts.delete(key);
  };
  for (const { table, date, rows } of await staging.partitions()) count({ table, date }, rows);

  const isFull = () => total >= rotateRows * MAX_STAGED_FILES;
  const nextDue = (): StagedCount | undefined => {
    const byRows = [...counts.values()].filter(({ rows }) => rows > 0).sort((a, b) => b.rows - a.rows);
    return byRows.find(({ rows, isSwept }) => rows >= rotateRows || isSwept || isFull());
  };
  const sweep = () => {
    for (const staged of counts.values()) staged.isSwept = staged.rows > 0;
  };
  const isSwept = () => [...counts.values()].every((staged) => !staged.isSwept);

  const writeFile = async (staged: StagedCount): Promise<WrittenFile | null> => {
    if (recoveryDue) for (const { rows, ...partition } of await files.recover()) count(partition, -rows);
    recoveryDue = true;
    const file = await files.writeOldest(staged.partition, rotateRows);
    recoveryDue = false;
    // Fewer rows than were asked for are all there were; later ones wait for the next sweep.
    if (file === null || file.rows < rotateRows) staged.isSwept = false;
    count(staged.partition, file === null ? -staged.rows : -file.rows);
    return file;
  };

  const files$ = new Observable<WrittenFile>((subscriber) => {
    let work: Subscription | undefined;
    const next = () => {
      if (work !== undefined && !work.closed) return;
      const staged = nextDue();
      if (staged === undefined) return;
      work = defer(() => writeFile(staged))
        .pipe(retryForever({ minDelayMs: 1_000, maxDelayMs: 60_000, scheduler, onFailure }))
        .subscribe({
          next: (file) => file !== null && subscriber.next(file),
          complete: () => {
            work = undefined;
            changed$.next();
          },
        });
    };
    subscriber.add(changed$.subscribe(next));
    subscriber.add(
      interval(rotateMs, scheduler).subscribe(() => {
        sweep();
        next();
      }),
    );
    subscriber.add(() => work?.unsubscribe());
    next();
  });

  const until = async (isTrue: () => boolean) => {
    if (!isTrue()) await firstValueFrom(changed$.pipe(filter(isTrue)));
  };

  return {
    files$,
    get stagedRows() {
      return total;
    },
    staged(rows) {
      for (const { table, date } of rows) count({ table, date }, 1);
      if (rows.length > 0) changed$.next();
    },
    room: () => until(() => !isFull()),
    flush() {
      sweep();
      const swept = until(isSwept);
      changed$.next();
      return swept;
    },
  };
}
