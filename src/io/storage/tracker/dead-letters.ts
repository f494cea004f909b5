import type { DeadLetter } from '../../../streams/ports/view-store.ts';
import type { SqliteDatabase } from '../sqlite/sqlite.ts';

/** The newest are kept. With the limits below the table has at most about 300 MB. */
export const MAX_DEAD_LETTERS = 100_000;
const MAX_PAYLOAD_BYTES = 2_048;
const MAX_TEXT_LENGTH = 300;

/**
 * Writes what could not be read, each cut to a size that still shows what it is; call it inside the transaction that
 * counts them as applied.
 *
 * @returns how many older ones were removed to make room
 */
export async function writeDeadLetters(
  database: SqliteDatabase,
  log: string,
  deadLetters: readonly DeadLetter[],
  receivedMs: number,
  maxLetters: number = MAX_DEAD_LETTERS,
): Promise<number> {
  if (deadLetters.length === 0) return 0;
  const rows = deadLetters.map(({ position, eventId, subject, reason, payload }) => [
    position,
    shown(eventId),
    shown(subject),
    shown(reason),
    Buffer.from(payload.subarray(0, MAX_PAYLOAD_BYTES)).toString('hex'),
    payload.length,
  ]);
  await database.run(
    `INSERT INTO dead_letters (log, position, event_id, subject, reason, payload, payload_bytes, received_ms)
       SELECT ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5, ?
         FROM json_each(?) ORDER BY key`,
    log,
    receivedMs,
    JSON.stringify(rows),
  );
  // Older ones are removed from the front, so that what is left are neighbours, and their ids tell how many.
  const { changes } = await database.run(
    'DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - ?',
    maxLetters,
  );
  return changes;
}

/** No store brings NUL and half surrogate pairs back as they were. */
function shown(text: string): string {
  return text.slice(0, MAX_TEXT_LENGTH).toWellFormed().replaceAll('\0', '\ufffd');
}
