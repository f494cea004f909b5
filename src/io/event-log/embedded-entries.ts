import { type Observable, type SchedulerLike, Subject } from 'rxjs';
import { EventLogFullError, type LogEntry } from '../../streams/ports/event-log.ts';
import type { SqliteDatabase } from '../sqlite.ts';

/** The entries of the embedded log: appended, read in pages, and deleted once nobody waits for them. */
export interface EmbeddedEntries {
  /** The last committed position; entries beyond it may be seen by a query but are not on disk yet. */
  readonly head: number;
  /** Emits after each append that stored something. */
  readonly appended$: Observable<void>;
  append(entries: readonly LogEntry[]): Promise<void>;
  /** Committed entries after `position`, oldest first. */
  page(position: number, limit: number): Promise<StoredEntry[]>;
  /** Deletes a batch of the entries up to `position`. To be called inside a transaction. */
  release(position: number): Promise<Released>;
  /** Takes what a committed transaction released off the size. */
  forget(released: Released): void;
  depth(): Promise<EventLogDepth>;
}

export interface StoredEntry extends LogEntry {
  readonly position: number;
}

/** What the log holds: entries not yet acknowledged by every durable, the bytes of their payloads, and the age. */
export interface EventLogDepth {
  readonly entries: number;
  readonly bytes: number;
  /** Unix time at which the oldest held entry was appended, `null` when the log is empty. */
  readonly oldestMs: number | null;
}

export interface Released {
  readonly entries: number;
  readonly bytes: number;
  /** Whether entries up to the asked position remain. */
  readonly more: boolean;
}

export interface EntriesOptions {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly scheduler: SchedulerLike;
}

/** Deleting this many rows takes some tens of milliseconds, during which no append commits. */
const RELEASE_BATCH = 5000;

/**
 * One statement for any number of entries: the payloads travel as one blob, and each row names its slice. Ten times
 * as fast as a statement a row, and the bytes need no encoding.
 */
const INSERT = `
  INSERT INTO event_log_entries (event_id, subject, payload, appended_ms)
  SELECT value ->> 0, value ->> 1, coalesce(substr(?2, value ->> 2, value ->> 3), zeroblob(0)), ?3
  FROM json_each(?1) WHERE true
  ON CONFLICT (event_id) DO NOTHING`;

export async function embeddedEntries(
  database: SqliteDatabase,
  { maxEntries, maxBytes, scheduler }: EntriesOptions,
): Promise<EmbeddedEntries> {
  const appended$ = new Subject<void>();
  let { entries: heldEntries, bytes: heldBytes } = await sizeOf(database, 0, Number.MAX_SAFE_INTEGER);
  const sequence = await database.get<{ seq: number }>(
    `SELECT seq FROM sqlite_sequence WHERE name = 'event_log_entries'`,
  );
  let head = sequence?.seq ?? 0;

  function checkRoom(entries: number, bytes: number): void {
    const full = heldEntries + entries > maxEntries || heldBytes + bytes > maxBytes;
    if (!full) return;
    throw new EventLogFullError(
      `the event log in ${database.path} is full (${heldEntries} events, ${heldBytes} bytes held); ` +
        'its readers are away or too slow',
    );
  }

  async function append(entries: readonly LogEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const { rows, payloads } = packed(entries);
    const stored = await database.transaction(async () => {
      checkRoom(entries.length, payloads.length);
      await database.run(INSERT, rows, payloads, scheduler.now());
      return sizeOf(database, head, Number.MAX_SAFE_INTEGER);
    });
    if (stored.entries === 0) return;
    heldEntries += stored.entries;
    heldBytes += stored.bytes;
    head = stored.last;
    appended$.next();
  }

  return {
    get head() {
      return head;
    },
    appended$: appended$.asObservable(),
    append: (entries) => append(entries).catch(asFullError(database.path)),
    async page(position, limit) {
      const rows = await database.all<StoredRow>(
        `SELECT position, event_id, subject, payload FROM event_log_entries
         WHERE position > ? AND position <= ? ORDER BY position LIMIT ?`,
        position,
        head,
        limit,
      );
      return rows.map(({ position: at, event_id: eventId, subject, payload }) => {
        return { position: at, eventId, subject, payload: new Uint8Array(payload) };
      });
    },
    async release(position) {
      const row = await database.get<{ last: number | null }>(
        `SELECT max(position) AS last FROM
           (SELECT position FROM event_log_entries WHERE position <= ? ORDER BY position LIMIT ?)`,
        position,
        RELEASE_BATCH,
      );
      const last = row?.last ?? 0;
      const { entries, bytes } = await sizeOf(database, 0, last);
      await database.run('DELETE FROM event_log_entries WHERE position <= ?', last);
      return { entries, bytes, more: entries === RELEASE_BATCH };
    },
    forget({ entries, bytes }) {
      heldEntries -= entries;
      heldBytes -= bytes;
    },
    async depth() {
      const row = await database.get<{ appended_ms: number }>(
        'SELECT appended_ms FROM event_log_entries ORDER BY position LIMIT 1',
      );
      return { entries: heldEntries, bytes: heldBytes, oldestMs: row?.appended_ms ?? null };
    },
  };
}

interface StoredRow {
  readonly position: number;
  readonly event_id: string;
  readonly subject: string;
  readonly payload: Uint8Array;
}

/** Count, payload bytes and last position of the entries with `after < position <= upTo`. */
async function sizeOf(database: SqliteDatabase, after: number, upTo: number) {
  const row = await database.get<{ entries: number; bytes: number; last: number | null }>(
    `SELECT count(*) AS entries, coalesce(sum(length(payload)), 0) AS bytes, max(position) AS last
     FROM event_log_entries WHERE position > ? AND position <= ?`,
    after,
    upTo,
  );
  return { entries: row?.entries ?? 0, bytes: row?.bytes ?? 0, last: row?.last ?? after };
}

/** The rows as JSON `[eventId, subject, offset from 1, length]` and all payloads in one buffer. */
function packed(entries: readonly LogEntry[]): { rows: string; payloads: Uint8Array } {
  let offset = 1;
  const rows = entries.map(({ eventId, subject, payload }) => {
    const row = [eventId, subject, offset, payload.length];
    offset += payload.length;
    return row;
  });
  return { rows: JSON.stringify(rows), payloads: Buffer.concat(entries.map(({ payload }) => payload)) };
}

/** A full disk is a full log to whoever appends: hold back, try again. */
function asFullError(path: string) {
  return (error: unknown): never => {
    if (error instanceof Error && 'code' in error && error.code === 'SQLITE_FULL') {
      throw new EventLogFullError(`no room on the disk for the event log in ${path}`, { cause: error });
    }
    throw error;
  };
}
