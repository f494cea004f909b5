import { join } from 'node:path';
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
import { type EstimatorNetwork, estimatorModel } from '../consensus/estimators/estimator-network.ts';
import type { Refusal } from '../consensus/events.ts';
import type { RetryForeverOptions } from '../streams/flow/retry-forever.ts';
import type { Delivery, EventLog } from '../streams/ports/event-log.ts';
import { type BatchSummary, reduce } from '../streams/reducer.ts';
import { useNativeEnrCrypto } from './enr-crypto.ts';
import type { Logger } from './logger.ts';
import { type FileSteps, fileSteps } from './parquet/file-steps.ts';
import { parquetFlusher } from './parquet/flusher.ts';
import { partitionFiles } from './parquet/partition-files.ts';
import { parquetReplacements } from './parquet/replacements.ts';
import { parquetStaging } from './parquet/staging.ts';
import { parquetUpkeep, type UpkeepCounts } from './parquet/upkeep.ts';
import { DEFAULT_KEEP, type ForgottenCounts, type Keep, type Retention, retention } from './retention.ts';
import { SENTRY_FILE } from './sentry-database.ts';
import type { SqliteDatabase } from './sqlite.ts';
import { openTracker, type TrackerDatabase } from './tracker/database.ts';
import { TRACKER_FILE } from './tracker/schema.ts';
import { sqliteViewStore } from './tracker/view-store.ts';

export interface ConsumerOptions {
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
  /** Rows of a full Parquet file. */
  readonly rotateRows?: number;
  /** The longest a row waits to be in a Parquet file. */
  readonly rotateMs?: number;
  /** How long what is stored. */
  readonly keep?: Keep;
  /** Small Parquet files of past days are merged up to this size. */
  readonly mergeBytes?: number;
  readonly scheduler?: SchedulerLike;
  /** What writes to the disk; tests stop between any two steps. */
  readonly disk?: Disk;
}

export interface Disk {
  readonly files: FileSteps;
  /** Makes of the connection that writes what is used in its place. */
  writer(database: SqliteDatabase): SqliteDatabase;
}

const DISK: Disk = { files: fileSteps, writer: (database) => database };

/** Since the start of this consumer. */
export interface ConsumerCounts {
  readonly deliveries: number;
  readonly applied: number;
  readonly duplicates: number;
  readonly malformed: number;
  readonly parquetFiles: number;
  readonly parquetRows: number;
  /** Rows that are not in a Parquet file yet. */
  readonly stagedRows: number;
  /** Malformed events by reason, and older ones that had to go for them. */
  readonly deadLetters: ReadonlyMap<Refusal, number>;
  readonly deadLettersDropped: number;
  /** What upkeep has done to Parquet files. */
  readonly upkeep: UpkeepCounts;
  /** What retention has removed from the view. */
  readonly forgotten: ForgottenCounts;
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
   * be done within ten seconds is left to the next start, which loses nothing.
   */
  close(): Promise<void>;
}

const DRAIN_MS = 10_000;

/** What can fail for a while. */
type Work = 'commit' | 'parquet' | 'retention';
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
  rotateRows = 50_000,
  rotateMs = 300_000,
  keep = DEFAULT_KEEP,
  mergeBytes = 32 * 1024 * 1024,
  scheduler = asyncScheduler,
  disk = DISK,
}: ConsumerOptions): Promise<Consumer> {
  useNativeEnrCrypto();
  const opened = await openTracker(dataDir, (text) => logger.info(text));
  const database = { ...opened, writer: disk.writer(opened.writer) };
  try {
    const problems = new Map<Work, string>();
    const tellOf = (work: Work): RetryForeverOptions['onFailure'] => {
      return ({ error, attempt, delayMs }) => {
        problems.set(work, `${FAILED[work]}: ${error instanceof Error ? error.message : String(error)}`);
        logger.warn({ err: error, attempt, delayMs }, `${FAILED[work]}; trying again`);
      };
    };
    const { files } = disk;
    const directory = join(dataDir, 'parquet');
    const replacements = parquetReplacements({ directory, database: database.writer, steps: files });
    await replacements.recover();
    const staging = parquetStaging(database.writer, database.reader);
    const flusher = await parquetFlusher({
      files: partitionFiles({ directory, staging, steps: files }),
      staging,
      rotateRows,
      rotateMs,
      scheduler,
      onFailure: tellOf('parquet'),
    });
    const model = network === undefined ? {} : { model: estimatorModel(network) };
    const { addressesMs: keepAddressesMs, observationsMs: keepObservationsMs } = keep;
    const limits = { keepAddressesMs, keepObservationsMs, mergeBytes };
    const upkeep = parquetUpkeep({ directory, replacements, steps: files, ...limits });
    const retaining = retention({
      database: database.writer,
      upkeep,
      keep,
      dataDir,
      databaseFiles: [TRACKER_FILE, SENTRY_FILE],
      steps: files,
      scheduler,
      onFailure: tellOf('retention'),
    });
    const letters: Letters = { byRefusal: new Map(), dropped: 0 };
    const store = await sqliteViewStore({
      database: database.writer,
      staging,
      flusher,
      ...model,
      onDeadLetters: (added, dropped) => {
        for (const { refusal } of added) letters.byRefusal.set(refusal, (letters.byRefusal.get(refusal) ?? 0) + 1);
        letters.dropped += dropped;
      },
    });
    const stages = reduce(store, {
      logId: log.id,
      ...model,
      batchSize,
      batchMs,
      scheduler,
      onFailure: tellOf('commit'),
    });
    const stored = { flusher, database, upkeep, retaining, letters };
    return consume({ log, durable, maxInFlight, stages, ...stored, problems, logger, scheduler });
  } catch (error) {
    await database.close();
    throw error;
  }
}

interface Letters {
  readonly byRefusal: Map<Refusal, number>;
  dropped: number;
}

interface ConsumeOptions {
  readonly log: EventLog;
  readonly durable: string;
  readonly maxInFlight: number;
  readonly stages: ReturnType<typeof reduce>;
  readonly flusher: Awaited<ReturnType<typeof parquetFlusher>>;
  readonly database: TrackerDatabase;
  readonly upkeep: ReturnType<typeof parquetUpkeep>;
  readonly retaining: Retention;
  readonly letters: Letters;
  readonly problems: Map<Work, string>;
  readonly logger: Logger;
  readonly scheduler: SchedulerLike;
}

function consume(options: ConsumeOptions): Consumer {
  const { log, durable, maxInFlight, stages, flusher, database, problems, logger, scheduler } = options;
  const { upkeep, retaining, letters } = options;
  const tally = { deliveries: 0, applied: 0, duplicates: 0, malformed: 0, parquetFiles: 0, parquetRows: 0 };
  const counts = (): ConsumerCounts => ({
    ...tally,
    stagedRows: flusher.stagedRows,
    deadLetters: letters.byRefusal,
    deadLettersDropped: letters.dropped,
    upkeep: upkeep.counts(),
    forgotten: retaining.counts(),
  });
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

  const keeping = retaining.passes$.subscribe(() => {
    problems.delete('retention');
    logger.debug({ ...upkeep.counts(), ...retaining.counts() }, 'old data merged and removed');
    changed.next();
  });

  const reduced = lastValueFrom(summaries, { defaultValue: undefined }).then(() => undefined, reject);
  // The deliveries stay subscribed while the last of them are committed, so that their acknowledgements arrive.
  const deliveries = new Subject<Delivery>();
  const reducing = stages(deliveries.pipe(takeUntil(stop))).subscribe(summaries);
  const delivering = log.deliveries({ durable, maxInFlight }).subscribe(deliveries);

  const closeAll = async () => {
    stop.next();
    keeping.unsubscribe();
    const drained = reduced
      .then(() => flusher.flush())
      .then(() => retaining.idle())
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
