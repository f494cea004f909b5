import {
  asyncScheduler,
  filter,
  firstValueFrom,
  lastValueFrom,
  type Observable,
  race,
  type SchedulerLike,
  Subject,
  startWith,
  takeUntil,
  timer,
} from 'rxjs';
import { type EstimatorNetwork, estimatorModel } from '../../consensus/estimators/estimator-network.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { useNativeEnrCrypto } from '../../io/network/discv5/enr-crypto.ts';
import type { TrackerDatabase } from '../../io/storage/tracker/database.ts';
import type { RetryForeverOptions } from '../../streams/flow/retry-forever.ts';
import type { Delivery, EventLog } from '../../streams/ports/event-log.ts';
import { type BatchSummary, reduce } from '../../streams/reducer.ts';
import { openStore, type Store, type StoreCounts, type StoreLimits, type StoreWork } from './store.ts';

export interface ConsumerOptions extends StoreLimits {
  /** Not closed by the consumer. */
  readonly log: EventLog;
  readonly dataDir: string;
  /** Name under which the log remembers what has been consumed. */
  readonly durable: string;
  readonly logger: Logger;
  /** What the observed nodes are part of. Without it, subnets tell nothing about the number of validators. */
  readonly network?: EstimatorNetwork;
  readonly batchSize?: number;
  /** The longest a delivery waits for its batch to fill. */
  readonly batchMs?: number;
  readonly maxInFlight?: number;
  readonly scheduler?: SchedulerLike;
}

/** Since the start of this consumer. */
export interface ConsumerCounts extends StoreCounts {
  readonly deliveries: number;
  readonly applied: number;
  readonly duplicates: number;
  readonly malformed: number;
  readonly parquetFiles: number;
  readonly parquetRows: number;
}

/** Everything from the event log to the files: view, Parquet tables, dead letters. */
export interface Consumer {
  /** One summary per committed batch, from the time of subscription on; completes when the consumer ends. */
  readonly summaries: Observable<BatchSummary>;
  readonly database: TrackerDatabase;
  counts(): ConsumerCounts;
  /** What fails at the moment and is being retried; empty when all is well. */
  problems(): string[];
  /** Resolves as soon as the counts satisfy the condition; rejects when the consumer ends before. */
  reached(condition: (counts: ConsumerCounts) => boolean): Promise<void>;
  /** Resolves after {@link close}; rejects when the event log was lost for good. */
  readonly ended: Promise<void>;
  /**
   * Takes no more deliveries, commits those taken, writes all staged rows to Parquet and closes the files. What cannot
   * be done within five seconds is left to the next start, which loses nothing.
   */
  close(): Promise<void>;
}

const DRAIN_MS = 5_000;

/** What can fail for a while. */
type Work = 'commit' | StoreWork;
const FAILED: Readonly<Record<Work, string>> = {
  commit: 'a batch could not be committed',
  parquet: 'a Parquet file could not be written',
  retention: 'old data could not be merged or removed',
};

/** Opens the data folder, recovers from an earlier crash, and starts to consume. */
export async function startConsumer({
  log,
  dataDir,
  durable,
  logger,
  network,
  batchSize = 1_000,
  batchMs = 100,
  maxInFlight = 4_000,
  scheduler = asyncScheduler,
  ...limits
}: ConsumerOptions): Promise<Consumer> {
  useNativeEnrCrypto();
  const problems = new Map<Work, string>();
  const tellOf = (work: Work): RetryForeverOptions['onFailure'] => {
    return ({ error, attempt, delayMs }) => {
      problems.set(work, `${FAILED[work]}: ${error instanceof Error ? error.message : String(error)}`);
      logger.warn({ err: error, attempt, delayMs }, `${FAILED[work]}; trying again`);
    };
  };
  const model = network === undefined ? {} : { model: estimatorModel(network) };
  const tell = (text: string) => logger.info(text);
  const store = await openStore({ dataDir, ...model, ...limits, scheduler, onFailureOf: tellOf, tell });
  const stages = reduce(store.view, {
    log,
    ...model,
    batchSize,
    batchMs,
    scheduler,
    onFailure: tellOf('commit'),
  });
  return consume({ log, durable, maxInFlight, stages, store, problems, logger, scheduler });
}

interface ConsumeOptions {
  readonly log: EventLog;
  readonly durable: string;
  readonly maxInFlight: number;
  readonly stages: ReturnType<typeof reduce>;
  readonly store: Store;
  readonly problems: Map<Work, string>;
  readonly logger: Logger;
  readonly scheduler: SchedulerLike;
}

function consume(options: ConsumeOptions): Consumer {
  const { log, durable, maxInFlight, stages, store, problems, logger, scheduler } = options;
  const { database, flusher, retention } = store;
  const tally = { deliveries: 0, applied: 0, duplicates: 0, malformed: 0, parquetFiles: 0, parquetRows: 0 };
  const counts = (): ConsumerCounts => ({ ...tally, ...store.counts() });
  const summaries = new Subject<BatchSummary>();
  const changed = new Subject<void>();
  const stop = new Subject<void>();
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  ended.catch((error: unknown) => logger.error({ err: error }, 'the consumer has stopped: its event log was lost'));

  summaries.subscribe({
    next: ({ deliveries, applied, duplicates, malformed }) => {
      tally.deliveries += deliveries;
      tally.applied += applied;
      tally.duplicates += duplicates;
      tally.malformed += malformed;
      problems.delete('commit');
      if (malformed > 0) logger.warn({ malformed }, 'malformed events were put aside in the table dead_letters');
      changed.next();
    },
    error: (error) => changed.error(error),
    complete: () => changed.complete(),
  });

  const flushing = flusher.files$.subscribe(({ path, rows }) => {
    tally.parquetFiles++;
    tally.parquetRows += rows;
    problems.delete('parquet');
    logger.debug({ path, rows }, 'Parquet file written');
    changed.next();
  });

  const keeping = retention.passes$.subscribe(() => {
    problems.delete('retention');
    const { upkeep, forgotten } = store.counts();
    logger.debug({ upkeep, forgotten }, 'old data merged and removed');
    changed.next();
  });

  const reduced = lastValueFrom(summaries, { defaultValue: undefined }).then(() => undefined, reject);
  // The deliveries stay subscribed while the last of them are committed, so that their acknowledgements arrive.
  const deliveries = new Subject<Delivery>();
  const reducing = stages(deliveries.pipe(takeUntil(stop))).subscribe(summaries);
  const delivering = log
    .deliveries({ durable, maxInFlight, applied: (eventIds) => store.applied(eventIds) })
    .subscribe(deliveries);

  const closeAll = async () => {
    stop.next();
    keeping.unsubscribe();
    const drained = reduced
      .then(() => flusher.flush())
      .then(() => retention.idle())
      .then(() => true);
    if (!(await firstValueFrom(race(drained, timer(DRAIN_MS, scheduler))))) {
      logger.warn('closing before everything was written; the next start will continue');
    }
    reducing.unsubscribe();
    delivering.unsubscribe();
    flushing.unsubscribe();
    summaries.complete();
    await database.close();
    resolve();
  };

  let closing: Promise<void> | undefined;

  return {
    summaries: summaries.asObservable(),
    database,
    counts,
    problems: () => [...problems.values()],
    ended,
    async reached(condition) {
      await firstValueFrom(
        changed.pipe(
          startWith(undefined),
          filter(() => condition(counts())),
        ),
      );
    },
    close: () => {
      closing ??= closeAll();
      return closing;
    },
  };
}
