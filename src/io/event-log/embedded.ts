import { randomBytes } from 'node:crypto';
import { asyncScheduler, ReplaySubject, type SchedulerLike, takeUntil } from 'rxjs';
import { type EventLog, EventLogUsageError } from '../../streams/ports/event-log.ts';
import type { Logger } from '../logger.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { checkEntries } from './check-entries.ts';
import { embeddedCursors } from './embedded-cursors.ts';
import { embeddedDeliveries } from './embedded-deliveries.ts';
import { type EventLogDepth, embeddedEntries } from './embedded-entries.ts';
import { oneSubscriberEach } from './one-subscriber.ts';

export interface EmbeddedEventLog extends EventLog {
  depth(): Promise<EventLogDepth>;
}

export interface EmbeddedEventLogOptions {
  readonly logger: Logger;
  /**
   * The readers that entries wait for, all of them: missing ones are made, and one that is no longer named is dropped,
   * so that a reader of former days cannot hold the log for ever. Without it those that are known stay.
   */
  readonly durables?: readonly string[];
  /** More than this and `append` rejects with an EventLogFullError. */
  readonly maxEntries?: number;
  /** The same for the sum of the payloads. */
  readonly maxBytes?: number;
  readonly scheduler?: SchedulerLike;
}

const DEFAULT_MAX_ENTRIES = 10_000_000;
const DEFAULT_MAX_BYTES = 10 * 2 ** 30;

/**
 * The event log in a SQLite database that has its tables (`openSentryDatabase`), for one process at a time. The caller
 * closes the database, after the log.
 *
 * An entry is kept until every known durable has acknowledged it; with none known, everything is kept.
 */
export async function embeddedEventLog(
  database: SqliteDatabase,
  {
    logger,
    durables,
    maxEntries = DEFAULT_MAX_ENTRIES,
    maxBytes = DEFAULT_MAX_BYTES,
    scheduler = asyncScheduler,
  }: EmbeddedEventLogOptions,
): Promise<EmbeddedEventLog> {
  const id = await logId(database);
  const entries = await embeddedEntries(database, { maxEntries, maxBytes, scheduler });
  const cursors = await embeddedCursors(database, entries, { durables, logger, scheduler });
  const exclusive = oneSubscriberEach();
  const closed$ = new ReplaySubject<void>(1);
  let closing: Promise<void> | undefined;

  return {
    id,
    async append(list) {
      if (closing !== undefined) throw new EventLogUsageError('the event log is closed');
      checkEntries(list);
      await entries.append(list);
    },
    deliveries: (options) =>
      exclusive(options.durable, embeddedDeliveries(entries, cursors, options)).pipe(takeUntil(closed$)),
    depth: entries.depth,
    close() {
      closed$.next();
      closing ??= cursors.close();
      return closing;
    },
  };
}

const ID_SETTING = 'event_log_id';

/** A random name, given to the log when it is first opened. */
async function logId(database: SqliteDatabase): Promise<string> {
  const name = `embedded:${randomBytes(9).toString('base64url')}`;
  await database.transaction(() =>
    database.run('INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING', ID_SETTING, name),
  );
  const row = await database.get<{ value: string }>('SELECT value FROM settings WHERE key = ?', ID_SETTING);
  return row?.value ?? name;
}
