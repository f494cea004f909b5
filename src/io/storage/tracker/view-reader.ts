import type { SqliteDatabase } from '../sqlite/sqlite.ts';

/** Limits on `last_seen`, both included. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A row of the view as the API gives it: booleans are booleans, lists are lists. */
export interface ValidatorRecord extends Readonly<Record<string, unknown>> {
  readonly peer_id: string;
}

/** Reads the view in pieces, so that a large one neither fills memory nor holds anything up. */
export interface ViewReader {
  /** Ids of the peers last seen in the range, ascending. */
  peerIds(range: TimeRange): Promise<string[]>;
  /** The records of the given peers that are in the range, in no particular order. */
  records(peerIds: readonly string[], range: TimeRange): Promise<ValidatorRecord[]>;
}

export const JSON_COLUMNS: readonly string[] = ['long_lived_subnets', 'short_lived_subnets'];
export const BOOLEAN_COLUMNS: readonly string[] = ['possible_validator'];

/** @param database a connection that nothing is written through. */
export function viewReader(database: SqliteDatabase): ViewReader {
  return {
    async peerIds({ fromMs, toMs }) {
      const rows = await database.all<{ peer_id: string }>(
        'SELECT peer_id FROM validator_tracker WHERE last_seen BETWEEN ? AND ? ORDER BY peer_id',
        fromMs,
        toMs,
      );
      return rows.map((row) => row.peer_id);
    },
    async records(peerIds, { fromMs, toMs }) {
      const rows = await database.all<Record<string, unknown>>(
        `SELECT * FROM validator_tracker
           WHERE peer_id IN (SELECT value FROM json_each(?)) AND last_seen BETWEEN ? AND ?`,
        JSON.stringify(peerIds),
        fromMs,
        toMs,
      );
      return rows.map(recordOf);
    },
  };
}

function recordOf(row: Record<string, unknown>): ValidatorRecord {
  for (const column of JSON_COLUMNS) {
    const json = row[column];
    if (typeof json === 'string') row[column] = JSON.parse(json);
  }
  for (const column of BOOLEAN_COLUMNS) row[column] = row[column] === 1;
  return row as unknown as ValidatorRecord;
}
