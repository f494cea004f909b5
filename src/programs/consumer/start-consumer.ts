import {
  asyncScheduler,
  firstValueFrom,
  lastValueFrom,
  type Observable,
  race,
  type SchedulerLike,
  Subject,
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
import { once } from '../part.ts';
import { type ConsumerCounts, type ConsumerWork, consumerBooks } from './consumer-books.ts';
import { openStore, type Store, type StoreLimits } from './store.ts';

export type { ConsumerCounts } from './consumer-books.ts';

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

const FAILED: Readonly<Record<ConsumerWork, string>> = {
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
  const problems = new Map<ConsumerWork, string>();
  const tellOf = (work: ConsumerWork): RetryForeverOptions['onFailure'] => {
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
  readonly problems: Map<ConsumerWork, string>;
  readonly logger: Logger;
  readonly scheduler: SchedulerLike;
}

function consume(options: ConsumeOptions): Consumer {
  const { log, durable, maxInFlight, stages, store, problems, logger } = options;
  const { database, flusher, retention } = store;
  const books = consumerBooks(store, problems, logger);
  const summaries = new Subject<BatchSummary>();
  const stop = new Subject<void>();
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  ended.catch((error: unknown) => logger.error({ err: error }, 'the consumer has stopped: its event log was lost'));

  summaries.subscribe(books.summary);
  const reduced = lastValueFrom(summaries, { defaultValue: undefined }).then(() => undefined, reject);
  // The deliveries stay subscribed while the last of them are committed, so that their acknowledgements arrive.
  const deliveries = new Subject<Delivery>();
  const flushing = flusher.files$.subscribe(books.file);
  const keeping = retention.passes$.subscribe(books.pass);
  const reducing = stages(deliveries.pipe(takeUntil(stop))).subscribe(summaries);
  const delivering = log
    .deliveries({ durable, maxInFlight, applied: (eventIds) => store.applied(eventIds) })
    .subscribe(deliveries);

  async function closeAll(): Promise<void> {
    stop.next();
    keeping.unsubscribe();
    await written(reduced, options);
    for (const subscription of [reducing, delivering, flushing]) subscription.unsubscribe();
    summaries.complete();
    await database.close();
    resolve();
  }

  return {
    summaries: summaries.asObservable(),
    database,
    counts: books.counts,
    problems: () => [...problems.values()],
    ended,
    reached: books.reached,
    close: once(closeAll),
  };
}

/** Waits until what has been taken is committed and in Parquet files, as far as there is time for it. */
async function written(reduced: Promise<void>, { store, logger, scheduler }: ConsumeOptions): Promise<void> {
  const { flusher, retention } = store;
  const drained = reduced
    .then(() => flusher.flush())
    .then(() => retention.idle())
    .then(() => true);
  if (await firstValueFrom(race(drained, timer(DRAIN_MS, scheduler)))) return;
  logger.warn('closing before everything was written; the next start will continue');
}
