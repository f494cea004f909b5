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
import { type DuePartition, type StagedCounts, stagedCounts } from './staged-counts.ts';
import type { Staging } from './staging.ts';

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

/** Makes a flusher over what is staged already; recovers from an earlier crash first. */
export async function parquetFlusher(options: FlusherOptions): Promise<ParquetFlusher> {
  const { files, staging, rotateRows } = options;
  await files.recover();
  const counts = stagedCounts(rotateRows);
  for (const { rows, ...partition } of await staging.partitions()) counts.add(partition, rows);
  const changed$ = new Subject<void>();

  const until = async (isTrue: () => boolean) => {
    if (!isTrue()) await firstValueFrom(changed$.pipe(filter(isTrue)));
  };

  return {
    files$: writing(options, counts, changed$),
    get stagedRows() {
      return counts.total;
    },
    staged(added) {
      for (const { table, date } of added) counts.add({ table, date }, 1);
      if (added.length > 0) changed$.next();
    },
    room: () => until(() => !counts.isFull()),
    flush() {
      counts.sweep();
      const swept = until(counts.isSwept);
      changed$.next();
      return swept;
    },
  };
}

/**
 * Writes whatever is due, one file at a time, for as long as it is subscribed.
 * @param changed$ says that something may have become due; is told of each file
 */
function writing(
  { files, rotateRows, rotateMs, scheduler, onFailure }: FlusherOptions,
  counts: StagedCounts,
  changed$: Subject<void>,
): Observable<WrittenFile> {
  const write = fileWriter(files, counts, rotateRows);
  return new Observable((subscriber) => {
    let work: Subscription | undefined;
    const next = () => {
      if (work !== undefined && !work.closed) return;
      const due = counts.nextDue();
      if (due === null) return;
      work = defer(() => write(due))
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
        counts.sweep();
        next();
      }),
    );
    subscriber.add(() => work?.unsubscribe());
    next();
  });
}

/** Writes one file of a partition that is due; after one that failed it recovers first. */
function fileWriter(files: PartitionFiles, counts: StagedCounts, fileRows: number) {
  let recoveryDue = false;
  return async (due: DuePartition): Promise<WrittenFile | null> => {
    if (recoveryDue) for (const { rows, ...partition } of await files.recover()) counts.add(partition, -rows);
    recoveryDue = true;
    const file = await files.writeOldest(due.partition, fileRows);
    recoveryDue = false;
    due.written(file?.rows ?? null);
    return file;
  };
}
