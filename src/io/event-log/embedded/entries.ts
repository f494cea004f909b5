import { type Observable, type SchedulerLike, Subject } from 'rxjs';
import { EventLogFullError, type LogEntry } from '../../../streams/ports/event-log.ts';
import type { SqliteDatabase } from '../../storage/sqlite/sqlite.ts';

/** The entries of the embedded log: appended, read in pages, and deleted once nobody waits for them. */
export interface EmbeddedEntries {
  /** The last committed position; entries beyond it may be seen by a query but are not on disk yet. */
  readonly head: number;
  /** All that is on disk. */
  readonly held: EntriesSize;
  /** What each append has stored, right after it. */
  readonly appended$: Observable<EntriesSize>;
  /** @param checkRoom throws when so much cannot be taken; nothing else is appended between it and the commit */
  append(entries: readonly LogEntry[], checkRoom: (size: EntriesSize) => void): Promise<void>;
  /** Committed entries after `position`, oldest first. */
  page(position: number, limit: number): Promise<StoredEntry[]>;
  /** The same without what they say, up to `upTo`. */
  ids(after: number, upTo: number, limit: number): Promise<Pick<StoredEntry, 'position' | 'eventId'>[]>;
  /** What there is with `after < position <= upTo`. */
  size(after: number, upTo: number): Promise<EntriesSize>;
  /** The oldest entries in that range that are together at least as much as `wanted`, or all of them. */
  oldest(
    after: number,
    upTo: number,
    wanted: EntriesSize,
  ): Promise<{ readonly to: number; readonly size: EntriesSize }>;
  /** Unix time at which the first entry after `position` was appended, `null` when there is none. */
  appendedMsAfter(position: number): Promise<number | null>;
  /** Deletes a batch of the entries up to `position`. To be called inside a transaction. */
  release(position: number): Promise<Released>;
  /** Takes what a committed transaction released off the size. */
  forget(released: Released): void;
}

export interface StoredEntry extends LogEntry {
  readonly position: number;
}

/** A number of entries, and the bytes of their payloads. */
export interface EntriesSize {
  readonly entries: number;
  readonly bytes: number;
}

export interface Released extends EntriesSize {
  /** Whether entries up to the asked position remain. */
  readonly more: boolean;
}

export interface EntriesOptions {
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
  { scheduler }: EntriesOptions,
): Promise<EmbeddedEntries> {
  const appended$ = new Subject<EntriesSize>();
  let { entries: heldEntries, bytes: heldBytes } = await sizeOf(database, 0, Number.MAX_SAFE_INTEGER);
  const sequence = await database.get<{ seq: number }>(
    `SELECT seq FROM sqlite_sequence WHERE name = 'event_log_entries'`,
  );
  let head = sequence?.seq ?? 0;

  async function append(entries: readonly LogEntry[], checkRoom: (size: EntriesSize) => void): Promise<void> {
    if (entries.length === 0) return;
    const { rows, payloads } = packed(entries);
    const stored = await database.transaction(async () => {
      checkRoom({ entries: entries.length, bytes: payloads.length });
      await database.run(INSERT, rows, payloads, scheduler.now());
      return sizeOf(database, head, Number.MAX_SAFE_INTEGER);
    });
    if (stored.entries === 0) return;
    heldEntries += stored.entries;
    heldBytes += stored.bytes;
    head = stored.last;
    appended$.next(stored);
  }

  return {
    get head() {
      return head;
    },
    get held() {
      return { entries: heldEntries, bytes: heldBytes };
    },
    appended$: appended$.asObservable(),
    append: (entries, checkRoom) => append(entries, checkRoom).catch(asFullError(database.path)),
    size: (after, upTo) => sizeOf(database, after, upTo),
    async oldest(after, upTo, wanted) {
      let size: EntriesSize = { entries: 0, bytes: 0 };
      let to = after;
      while (size.entries < wanted.entries || size.bytes < wanted.bytes) {
        const page = await lastOf(database, to, upTo, RELEASE_BATCH);
        const passed = await sizeOf(database, to, page);
        if (passed.entries === 0) break;
        size = { entries: size.entries + passed.entries, bytes: size.bytes + passed.bytes };
        to = page;
      }
      return { to, size };
    },
    async appendedMsAfter(position) {
      const row = await database.get<{ appended_ms: number }>(
        'SELECT appended_ms FROM event_log_entries WHERE position > ? ORDER BY position LIMIT 1',
        position,
      );
      return row?.appended_ms ?? null;
    },
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
    async ids(after, upTo, limit) {
      const rows = await database.all<Pick<StoredRow, 'position' | 'event_id'>>(
        `SELECT position, event_id FROM event_log_entries
         WHERE position > ? AND position <= ? ORDER BY position LIMIT ?`,
        after,
        upTo,
        limit,
      );
      return rows.map(({ position, event_id: eventId }) => ({ position, eventId }));
    },
    async release(position) {
      const last = await lastOf(database, 0, position, RELEASE_BATCH);
      const { entries, bytes } = await sizeOf(database, 0, last);
      await database.run('DELETE FROM event_log_entries WHERE position <= ?', last);
      return { entries, bytes, more: entries === RELEASE_BATCH };
    },
    forget({ entries, bytes }) {
      heldEntries -= entries;
      heldBytes -= bytes;
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

/** The last position of the first `limit` entries in a range; `after` when there is none. */
async function lastOf(database: SqliteDatabase, after: number, upTo: number, limit: number): Promise<number> {
  const row = await database.get<{ last: number | null }>(
    `SELECT max(position) AS last FROM
       (SELECT position FROM event_log_entries WHERE position > ? AND position <= ? ORDER BY position LIMIT ?)`,
    after,
    upTo,
    limit,
  );
  return row?.last ?? after;
}

/** SQLITE_FULL is a full disk; in places where SQLite does not expect one, it is an I/O error like any other. */
const NO_ROOM_CODES: readonly unknown[] = ['SQLITE_FULL', 'SQLITE_IOERR'];

/** A disk that takes nothing more is a full log to whoever appends: hold back, try again. */
function asFullError(path: string) {
  return (error: unknown): never => {
    if (error instanceof Error && 'code' in error && NO_ROOM_CODES.includes(error.code)) {
      const message = `the disk takes no more for the event log in ${path} (${error.message}); make room on it`;
      throw new EventLogFullError(message, { cause: error });
    }
    throw error;
  };
}
