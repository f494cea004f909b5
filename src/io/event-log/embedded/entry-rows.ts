import type { LogEntry } from '../../../streams/ports/event-log.ts';
import type { SqliteDatabase, SqlValue } from '../../storage/sqlite/sqlite.ts';
import type { EntriesSize } from './entries-size.ts';

/** The table of entries. Where a range is asked for, it is that with `after < position <= upTo`. */

export interface StoredEntry extends LogEntry {
  readonly position: number;
}

/** Entries as one statement takes them. */
export interface PackedEntries {
  /** JSON of `[eventId, subject, offset from 1, length]` for each entry. */
  readonly rows: string;
  /** All payloads, one behind the other. */
  readonly payloads: Uint8Array;
}

interface Row {
  readonly position: number;
  readonly event_id: string;
  readonly subject: string;
  readonly payload: Uint8Array;
}

/**
 * One statement for any number of entries: the payloads travel as one blob, and each row names its slice. Ten times
 * as fast as a statement a row, and the bytes need no encoding.
 */
const INSERT = `
  INSERT INTO event_log_entries (event_id, subject, payload, appended_ms)
  SELECT value ->> 0, value ->> 1, coalesce(substr(?2, value ->> 2, value ->> 3), zeroblob(0)), ?3
  FROM json_each(?1) WHERE true
  ON CONFLICT (event_id) DO NOTHING`;

export function pack(entries: readonly LogEntry[]): PackedEntries {
  let offset = 1;
  const rows = entries.map(({ eventId, subject, payload }) => {
    const row = [eventId, subject, offset, payload.length];
    offset += payload.length;
    return row;
  });
  return { rows: JSON.stringify(rows), payloads: Buffer.concat(entries.map(({ payload }) => payload)) };
}

/** Adds the entries whose ids are not there yet, in order. To be called inside a transaction, as `removeUpTo`. */
export async function insert(
  database: SqliteDatabase,
  { rows, payloads }: PackedEntries,
  appendedMs: number,
): Promise<void> {
  await database.run(INSERT, rows, payloads, appendedMs);
}

export async function removeUpTo(database: SqliteDatabase, position: number): Promise<void> {
  await database.run('DELETE FROM event_log_entries WHERE position <= ?', position);
}

/** The highest position that was ever given out, 0 before the first. */
export async function lastPosition(database: SqliteDatabase): Promise<number> {
  const row = await database.get<{ seq: number }>(`SELECT seq FROM sqlite_sequence WHERE name = 'event_log_entries'`);
  return row?.seq ?? 0;
}

/** Count and payload bytes of a range, and its last position; `after` when there is nothing in it. */
export async function sizeOf(
  database: SqliteDatabase,
  after: number,
  upTo: number,
): Promise<EntriesSize & { readonly last: number }> {
  const row = await database.get<{ entries: number; bytes: number; last: number | null }>(
    `SELECT count(*) AS entries, coalesce(sum(length(payload)), 0) AS bytes, max(position) AS last
     FROM event_log_entries WHERE position > ? AND position <= ?`,
    after,
    upTo,
  );
  return { entries: row?.entries ?? 0, bytes: row?.bytes ?? 0, last: row?.last ?? after };
}

/** The last position of the first `limit` entries of a range; `after` when there is none. */
export async function lastOf(database: SqliteDatabase, after: number, upTo: number, limit: number): Promise<number> {
  const row = await database.get<{ last: number | null }>(
    `SELECT max(position) AS last FROM
       (SELECT position FROM event_log_entries WHERE position > ? AND position <= ? ORDER BY position LIMIT ?)`,
    after,
    upTo,
    limit,
  );
  return row?.last ?? after;
}

/** The first `limit` entries of a range, oldest first. */
export async function entriesOf(
  database: SqliteDatabase,
  after: number,
  upTo: number,
  limit: number,
): Promise<StoredEntry[]> {
  const rows = await select<Row>(database, 'position, event_id, subject, payload', [after, upTo, limit]);
  return rows.map(({ position, event_id: eventId, subject, payload }) => {
    return { position, eventId, subject, payload: new Uint8Array(payload) };
  });
}

/** The same without what they say. */
export async function idsOf(
  database: SqliteDatabase,
  after: number,
  upTo: number,
  limit: number,
): Promise<Pick<StoredEntry, 'position' | 'eventId'>[]> {
  const rows = await select<Pick<Row, 'position' | 'event_id'>>(database, 'position, event_id', [after, upTo, limit]);
  return rows.map(({ position, event_id: eventId }) => ({ position, eventId }));
}

function select<Columns>(database: SqliteDatabase, columns: string, values: SqlValue[]): Promise<Columns[]> {
  return database.all<Columns>(
    `SELECT ${columns} FROM event_log_entries WHERE position > ? AND position <= ? ORDER BY position LIMIT ?`,
    ...values,
  );
}

/** Unix time at which the first entry after `position` was appended, `null` when there is none. */
export async function appendedMsAfter(database: SqliteDatabase, position: number): Promise<number | null> {
  const row = await database.get<{ appended_ms: number }>(
    'SELECT appended_ms FROM event_log_entries WHERE position > ? ORDER BY position LIMIT 1',
    position,
  );
  return row?.appended_ms ?? null;
}
