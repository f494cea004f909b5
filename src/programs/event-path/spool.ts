import type { Observable } from 'rxjs';
import { type EmbeddedEventLog, embeddedEventLog } from '../../io/event-log/embedded/log.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { gauge, type Metric } from '../../io/metrics/metrics.ts';
import { openSentryDatabase } from '../../io/storage/sentry/sentry-database.ts';
import type { SqliteDatabase } from '../../io/storage/sqlite/sqlite.ts';
import type { EventLog } from '../../streams/ports/event-log.ts';
import { once, type Part, partOf } from '../part.ts';
import { spoolGate } from './spool-gate.ts';

/** `sentry.sqlite`, the event log in it, and the way into that for the crawl. */
export interface SpoolPart extends Part {
  readonly database: SqliteDatabase;
  readonly spool: EmbeddedEventLog;
  /** What is appended here is noted: the crawl pauses while there is no room. */
  readonly log: Pick<EventLog, 'append'>;
  readonly isOpen$: Observable<boolean>;
}

export interface SpoolOptions {
  readonly dataDir: string;
  /** Who reads from it: an entry stays until all of them have acknowledged it. */
  readonly durables: readonly string[];
  /** The one of them for which entries are kept that the others have read. */
  readonly keeper?: string;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** Why events are not read, if that is known. */
  readonly cause: () => string | null;
  readonly logger: Logger;
}

/** @throws DatabaseError with one line that names the file and the remedy */
export async function startSpool(options: SpoolOptions): Promise<SpoolPart> {
  const { dataDir, durables, keeper, maxBytes, maxAgeMs, cause, logger } = options;
  await using stack = new AsyncDisposableStack();
  const database = await openSentryDatabase(dataDir, (text) => logger.info(text));
  stack.defer(() => database.close());
  const spool = await embeddedEventLog(database, {
    logger,
    maxBytes,
    durables,
    ...(keeper === undefined ? {} : { keeper }),
  });
  stack.defer(() => spool.close());
  const { gate, watching } = spoolGate({ spool, maxBytes, maxAgeMs, cause: async () => cause(), logger });
  stack.defer(() => watching.unsubscribe());
  const opened = stack.move();
  return {
    ...partOf('the event log on disk', {
      checks: [{ name: 'room in the event log', reason: gate.check }],
      metrics: spoolMetrics(spool),
      stop: once(() => opened.disposeAsync()),
    }),
    database,
    spool,
    log: gate.log,
    isOpen$: gate.isOpen$,
  };
}

/** What waits on disk, and what is kept there for NATS. */
export function spoolMetrics(spool: Pick<EmbeddedEventLog, 'depth' | 'kept'>): Metric[] {
  return [
    gauge('event_log_entries', 'Events on disk that a reader has not acknowledged', [], async (set) =>
      set({}, (await spool.depth()).entries),
    ),
    gauge('event_log_bytes', 'Bytes of those events', [], async (set) => set({}, (await spool.depth()).bytes)),
    gauge('event_log_oldest_seconds', 'Age of the oldest of those events; 0 when there is none', [], async (set) => {
      const { oldestMs } = await spool.depth();
      set({}, oldestMs === null ? 0 : Math.max(0, Date.now() - oldestMs) / 1_000);
    }),
    gauge('event_log_kept_entries', 'Events on disk that NATS has and that were not read from there', [], (set) =>
      set({}, spool.kept().entries),
    ),
    gauge('event_log_kept_bytes', 'Bytes of those events', [], (set) => set({}, spool.kept().bytes)),
  ];
}
