import { filter, firstValueFrom, type Observer, Subject, startWith } from 'rxjs';
import type { Logger } from '../../io/logging/logger.ts';
import type { WrittenFile } from '../../io/storage/parquet/partition-files.ts';
import type { BatchSummary } from '../../streams/reducer.ts';
import type { Store, StoreCounts, StoreWork } from './store.ts';

/** Since the start of this consumer. */
export interface ConsumerCounts extends StoreCounts {
  readonly deliveries: number;
  readonly applied: number;
  readonly duplicates: number;
  readonly malformed: number;
  readonly parquetFiles: number;
  readonly parquetRows: number;
}

/** What can fail for a while. */
export type ConsumerWork = 'commit' | StoreWork;

/** What a consumer has done so far, as it hears of it. What succeeds is no problem any more. */
export interface ConsumerBooks {
  readonly summary: Observer<BatchSummary>;
  file(file: WrittenFile): void;
  /** A pass of retention has ended. */
  pass(): void;
  counts(): ConsumerCounts;
  /** Resolves as soon as the counts satisfy the condition; rejects when the consumer ends before. */
  reached(condition: (counts: ConsumerCounts) => boolean): Promise<void>;
}

export function consumerBooks(
  store: Pick<Store, 'counts'>,
  problems: Map<ConsumerWork, string>,
  logger: Logger,
): ConsumerBooks {
  const tally = { deliveries: 0, applied: 0, duplicates: 0, malformed: 0, parquetFiles: 0, parquetRows: 0 };
  const changed = new Subject<void>();
  const counts = (): ConsumerCounts => ({ ...tally, ...store.counts() });
  return {
    counts,
    summary: {
      next({ deliveries, applied, duplicates, malformed }) {
        tally.deliveries += deliveries;
        tally.applied += applied;
        tally.duplicates += duplicates;
        tally.malformed += malformed;
        problems.delete('commit');
        if (malformed > 0) logger.warn({ malformed }, 'malformed events were put aside in the table dead_letters');
        changed.next();
      },
      error: (error: unknown) => changed.error(error),
      complete: () => changed.complete(),
    },
    file({ path, rows }) {
      tally.parquetFiles++;
      tally.parquetRows += rows;
      problems.delete('parquet');
      logger.debug({ path, rows }, 'Parquet file written');
      changed.next();
    },
    pass() {
      problems.delete('retention');
      const { upkeep, forgotten } = store.counts();
      logger.debug({ upkeep, forgotten }, 'old data merged and removed');
      changed.next();
    },
    async reached(condition) {
      await firstValueFrom(
        changed.pipe(
          startWith(undefined),
          filter(() => condition(counts())),
        ),
      );
    },
  };
}
