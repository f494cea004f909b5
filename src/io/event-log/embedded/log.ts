import { randomBytes } from 'node:crypto';
import { asyncScheduler, ReplaySubject, type SchedulerLike, takeUntil } from 'rxjs';
import { type EventLog, EventLogFullError, EventLogUsageError } from '../../../streams/ports/event-log.ts';
import type { Spool } from '../../../streams/ports/spool.ts';
import type { Logger } from '../../logging/logger.ts';
import type { SqliteDatabase } from '../../storage/sqlite/sqlite.ts';
import { checkEntries } from '../check-entries.ts';
import { oneSubscriberEach } from '../one-subscriber.ts';
import { embeddedCursors } from './cursors.ts';
import { embeddedDeliveries } from './deliveries.ts';
import { embeddedEntries } from './entries.ts';
import type { EntriesSize } from './entries-size.ts';

export interface EmbeddedEventLog extends EventLog, Spool {
  /** What some reader has not acknowledged: what the bound is about. The keeper is no reader. */
  depth(): Promise<EventLogDepth>;
  /** What all readers have acknowledged and the keeper has not. */
  kept(): EntriesSize;
}

/** Entries, the bytes of their payloads, and the age. */
export interface EventLogDepth extends EntriesSize {
  /** Unix time at which the oldest of them was appended, `null` when there is none. */
  readonly oldestMs: number | null;
}

export interface EmbeddedEventLogOptions {
  readonly logger: Logger;
  /**
   * The readers that entries wait for, all of them: missing ones are made, and one that is no longer named is dropped,
   * so that a reader of former days cannot hold the log for ever. Without it those that are known stay.
   */
  readonly durables?: readonly string[];
  /**
   * One of the durables, which only keeps: what waits for it alone is let go when there is no room for new entries,
   * oldest first.
   */
  readonly keeper?: string;
  /** More than this waiting for readers and `append` rejects with an EventLogFullError. */
  readonly maxEntries?: number;
  /** The same for the sum of the payloads. */
  readonly maxBytes?: number;
  readonly scheduler?: SchedulerLike;
}

const DEFAULT_MAX_ENTRIES = 100_000_000;
const DEFAULT_MAX_BYTES = 4 * 2 ** 30;

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
    keeper,
    maxEntries = DEFAULT_MAX_ENTRIES,
    maxBytes = DEFAULT_MAX_BYTES,
    scheduler = asyncScheduler,
  }: EmbeddedEventLogOptions,
): Promise<EmbeddedEventLog> {
  const id = await logId(database);
  const entries = await embeddedEntries(database, { scheduler });
  const cursors = await embeddedCursors(database, entries, { durables, keeper, logger, scheduler });
  const exclusive = oneSubscriberEach();
  const closed$ = new ReplaySubject<void>(1);
  let closing: Promise<void> | undefined;
  let isLettingGo = false;

  function checkRoom(added: EntriesSize): void {
    const { entries: waiting, bytes } = cursors.waiting();
    if (waiting + added.entries <= maxEntries && bytes + added.bytes <= maxBytes) return;
    throw new EventLogFullError(
      `the event log in ${database.path} is full (${waiting} events, ${bytes} bytes wait); ` +
        'its readers are away or too slow',
    );
  }

  /** What is only kept gives way to what is new. */
  async function makeRoom(added: EntriesSize): Promise<void> {
    const { held } = entries;
    const excess = {
      entries: Math.max(0, held.entries + added.entries - maxEntries),
      bytes: Math.max(0, held.bytes + added.bytes - maxBytes),
    };
    if (excess.entries === 0 && excess.bytes === 0) {
      isLettingGo = false;
      return;
    }
    const gone = await cursors.letGo(excess);
    if (gone.entries === 0 || isLettingGo) return;
    isLettingGo = true;
    logger.warn(
      { ...gone, log: database.path },
      'the event log is full: the oldest events that were handed on are let go before they were read there',
    );
  }

  return {
    id,
    async append(list) {
      if (closing !== undefined) throw new EventLogUsageError('the event log is closed');
      checkEntries(list);
      if (keeper !== undefined) await makeRoom(sizeOf(list));
      await entries.append(list, checkRoom);
    },
    deliveries: (options) =>
      exclusive(options.durable, embeddedDeliveries(entries, cursors, options)).pipe(takeUntil(closed$)),
    cursor: cursors.at,
    advance: cursors.advance,
    rewind: cursors.rewind,
    ids: entries.ids,
    async depth() {
      const { after, entries: waiting, bytes } = cursors.waiting();
      return { entries: waiting, bytes, oldestMs: await entries.appendedMsAfter(after) };
    },
    kept() {
      const waiting = cursors.waiting();
      const { held } = entries;
      return { entries: Math.max(0, held.entries - waiting.entries), bytes: Math.max(0, held.bytes - waiting.bytes) };
    },
    close() {
      closed$.next();
      closing ??= cursors.close();
      return closing;
    },
  };
}

function sizeOf(list: readonly { readonly payload: Uint8Array }[]): EntriesSize {
  return { entries: list.length, bytes: list.reduce((bytes, { payload }) => bytes + payload.length, 0) };
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
