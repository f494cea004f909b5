import { join } from 'node:path';
import { concat, exhaustMap, interval, type Observable, of, type SchedulerLike } from 'rxjs';
import type { DiskSteps } from '../../io/storage/files/disk-steps.ts';
import type { ParquetUpkeep } from '../../io/storage/parquet/upkeep.ts';
import { backupsOf } from '../../io/storage/sqlite/backup.ts';
import type { SqliteDatabase } from '../../io/storage/sqlite/sqlite.ts';
import { forgetAddresses, forgetDeadLetters, forgetEventIds } from '../../io/storage/tracker/forgetting.ts';
import { fromAbortable } from '../../streams/flow/from-abortable.ts';
import { type RetryForeverOptions, retryForever } from '../../streams/flow/retry-forever.ts';

/** How long things are kept after they were stored, in milliseconds; infinite for ever. */
export interface Keep {
  /** Records, addresses and exact places of peers not heard of since, in the view, in Parquet and in copies. */
  readonly addressesMs: number;
  /** Rows of Parquet files. */
  readonly observationsMs: number;
  /** Dead letters, and the ids by which events of producers that do not number theirs are known. */
  readonly eventsMs: number;
}

const DAY_MS = 24 * 3_600_000;

/** Aggregates for ever, raw addresses for 90 days. */
export const DEFAULT_KEEP: Keep = {
  addressesMs: 90 * DAY_MS,
  observationsMs: Number.POSITIVE_INFINITY,
  eventsMs: 30 * DAY_MS,
};

/** What has been removed from the view since the start. */
export interface ForgottenCounts {
  readonly peers: number;
  readonly deadLetters: number;
  readonly eventIds: number;
}

export interface RetentionOptions {
  /** The connection that writes the view. */
  readonly database: SqliteDatabase;
  readonly upkeep: ParquetUpkeep;
  readonly keep: Keep;
  /** Databases whose copies hold addresses too. */
  readonly dataDir: string;
  readonly databaseFiles: readonly string[];
  readonly steps: DiskSteps;
  readonly scheduler: SchedulerLike;
  readonly onFailure: RetryForeverOptions['onFailure'];
}

export interface Retention {
  /**
   * The work itself, at once and then every hour, or ten times in the shortest time that something is kept: subscribe
   * once. Emits after each pass; failures are retried. Leaving ends it before the next step, and {@link idle} says when
   * that has happened.
   */
  readonly passes$: Observable<void>;
  /** Resolves when no pass is under way. */
  idle(): Promise<void>;
  counts(): ForgottenCounts;
}

const MAX_EVERY_MS = 3_600_000;
const MIN_EVERY_MS = 10_000;
const PASSES_WHILE_KEPT = 10;
const ROWS_A_STEP = 500;
const RETRY = { minDelayMs: 10_000, maxDelayMs: 600_000 };

/** Removes what is older than it may be. Every step is whole by itself, so that it may be interrupted anywhere. */
export function retention(options: RetentionOptions): Retention {
  const { database, upkeep, keep, dataDir, databaseFiles, steps, scheduler, onFailure } = options;
  const counts = { peers: 0, deadLetters: 0, eventIds: 0 };
  let underWay: Promise<unknown> = Promise.resolve();

  /** Repeats a step until it finds less than it may remove at a time. */
  async function repeated(
    step: typeof forgetAddresses,
    counted: keyof ForgottenCounts,
    beforeMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (!Number.isFinite(beforeMs)) return;
    let rows = ROWS_A_STEP;
    while (rows === ROWS_A_STEP) {
      signal.throwIfAborted();
      rows = await step(database, beforeMs, ROWS_A_STEP);
      counts[counted] += rows;
    }
  }

  async function dropBackups(beforeMs: number): Promise<void> {
    for (const file of databaseFiles) {
      for (const { path, modifiedMs } of await backupsOf(join(dataDir, file))) {
        if (modifiedMs < beforeMs) await steps.remove(path);
      }
    }
  }

  async function pass(signal: AbortSignal): Promise<void> {
    const nowMs = scheduler.now();
    await repeated(forgetAddresses, 'peers', nowMs - keep.addressesMs, signal);
    // They are kept as they came, with what addresses they hold.
    const deadLettersMs = Math.min(keep.eventsMs, keep.addressesMs);
    await repeated(forgetDeadLetters, 'deadLetters', nowMs - deadLettersMs, signal);
    await repeated(forgetEventIds, 'eventIds', nowMs - keep.eventsMs, signal);
    await dropBackups(nowMs - keep.addressesMs);
    await upkeep.pass(nowMs, signal);
  }

  const passOnce$ = fromAbortable((signal) => {
    const work = pass(signal);
    underWay = Promise.allSettled([work]);
    return work;
  });

  return {
    passes$: concat(of(0), interval(everyMs(keep), scheduler)).pipe(
      exhaustMap(() => passOnce$.pipe(retryForever({ ...RETRY, scheduler, onFailure }))),
    ),
    idle: async () => {
      await underWay;
    },
    counts: () => ({ ...counts }),
  };
}

/** So that nothing stays for much longer than it may, however short that is. */
function everyMs({ addressesMs, observationsMs, eventsMs }: Keep): number {
  const shortestMs = Math.min(addressesMs, observationsMs, eventsMs);
  return Math.max(MIN_EVERY_MS, Math.min(MAX_EVERY_MS, shortestMs / PASSES_WHILE_KEPT));
}
