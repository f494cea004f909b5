import { join } from 'node:path';
import type { SchedulerLike } from 'rxjs';
import type { EstimatorModel } from '../../consensus/estimators/estimator-network.ts';
import type { Refusal } from '../../consensus/events.ts';
import { type FileSteps, fileSteps } from '../../io/storage/parquet/file-steps.ts';
import { type ParquetFlusher, parquetFlusher } from '../../io/storage/parquet/flusher.ts';
import { partitionFiles } from '../../io/storage/parquet/partition-files.ts';
import { parquetReplacements } from '../../io/storage/parquet/replacements.ts';
import { parquetStaging } from '../../io/storage/parquet/staging.ts';
import { parquetUpkeep, type UpkeepCounts } from '../../io/storage/parquet/upkeep.ts';
import { SENTRY_FILE } from '../../io/storage/sentry/sentry-database.ts';
import type { SqliteDatabase } from '../../io/storage/sqlite/sqlite.ts';
import type { Tell } from '../../io/storage/sqlite/while-slow.ts';
import { committedAmong } from '../../io/storage/tracker/applied-events.ts';
import { openTracker, type TrackerDatabase } from '../../io/storage/tracker/database.ts';
import { TRACKER_FILE } from '../../io/storage/tracker/schema.ts';
import { sqliteViewStore } from '../../io/storage/tracker/view-store.ts';
import type { RetryForeverOptions } from '../../streams/flow/retry-forever.ts';
import type { ViewStore } from '../../streams/ports/view-store.ts';
import { DEFAULT_KEEP, type ForgottenCounts, type Keep, type Retention, retention } from './retention.ts';

/** What writes to the disk; tests stop between any two steps. */
export interface Disk {
  readonly files: FileSteps;
  /** Makes of the connection that writes what is used in its place. */
  writer(database: SqliteDatabase): SqliteDatabase;
}

const DISK: Disk = { files: fileSteps, writer: (database) => database };

/** How a consumer's data are kept. */
export interface StoreLimits {
  /** Rows of a full Parquet file. */
  readonly rotateRows?: number;
  /** The longest a row waits to be in a Parquet file. */
  readonly rotateMs?: number;
  /** How long what is stored. */
  readonly keep?: Keep;
  /** Small Parquet files of past days are merged up to this size. */
  readonly mergeBytes?: number;
  readonly disk?: Disk;
}

/** What can fail for a while. */
export type StoreWork = 'parquet' | 'retention';

export interface StoreOptions extends StoreLimits {
  readonly dataDir: string;
  /** Absent where the network is unknown. */
  readonly model?: EstimatorModel;
  readonly scheduler: SchedulerLike;
  onFailureOf(work: StoreWork): RetryForeverOptions['onFailure'];
  readonly tell: Tell;
}

/** Since the start. */
export interface StoreCounts {
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

/** The consumer's part of a data folder: the view, the Parquet files, and what keeps both in order. */
export interface Store {
  readonly view: ViewStore;
  readonly database: TrackerDatabase;
  readonly flusher: ParquetFlusher;
  readonly retention: Retention;
  /** Those of the event ids whose effect is durable, with those that were put aside for being malformed. */
  applied(eventIds: readonly string[]): Promise<ReadonlySet<string>>;
  counts(): StoreCounts;
}

/**
 * Opens the data folder and ends what a crash has interrupted. Nothing is written by itself before `flusher.files$` and
 * `retention.passes$` are subscribed.
 *
 * @throws DatabaseError with one line that names the file and the remedy.
 */
export async function openStore({
  dataDir,
  model,
  rotateRows = 50_000,
  rotateMs = 300_000,
  keep = DEFAULT_KEEP,
  mergeBytes = 32 * 1024 * 1024,
  disk = DISK,
  scheduler,
  onFailureOf,
  tell,
}: StoreOptions): Promise<Store> {
  const opened = await openTracker(dataDir, tell);
  try {
    const writer = disk.writer(opened.writer);
    const steps = disk.files;
    const directory = join(dataDir, 'parquet');
    const replacements = parquetReplacements({ directory, database: writer, steps });
    await replacements.recover();
    const staging = parquetStaging(writer, opened.staged);
    const files = partitionFiles({ directory, staging, steps });
    const onFailure = onFailureOf('parquet');
    const flusher = await parquetFlusher({ files, staging, rotateRows, rotateMs, scheduler, onFailure });
    const { addressesMs: keepAddressesMs, observationsMs: keepObservationsMs } = keep;
    const upkeep = parquetUpkeep({ directory, replacements, keepAddressesMs, keepObservationsMs, mergeBytes, steps });
    const deadLetters = new Map<Refusal, number>();
    let deadLettersDropped = 0;
    const view = await sqliteViewStore({
      database: writer,
      staging,
      flusher,
      ...(model === undefined ? {} : { model }),
      onDeadLetters: (letters, dropped) => {
        for (const { refusal } of letters) deadLetters.set(refusal, (deadLetters.get(refusal) ?? 0) + 1);
        deadLettersDropped += dropped;
      },
    });
    const retaining = retention({
      database: writer,
      upkeep,
      keep,
      dataDir,
      databaseFiles: [TRACKER_FILE, SENTRY_FILE],
      steps,
      scheduler,
      onFailure: onFailureOf('retention'),
    });
    return {
      view,
      database: { ...opened, writer },
      flusher,
      retention: retaining,
      applied: (eventIds) => committedAmong(opened.reader, eventIds),
      counts: () => ({
        stagedRows: flusher.stagedRows,
        deadLetters,
        deadLettersDropped,
        upkeep: upkeep.counts(),
        forgotten: retaining.counts(),
      }),
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}
