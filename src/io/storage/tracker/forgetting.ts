import type { SqliteDatabase } from '../sqlite/sqlite.ts';
import { PLACE_COLUMNS } from './locations-schema.ts';

/** What is removed from the view with time. Each call is one short transaction, so that the reducer hardly waits. */

/** Aggregates: they tell of many nodes. Coordinates go with one decimal, as in the public view. */
const COARSE_PLACE = PLACE_COLUMNS.filter((column) => column !== 'hostname' && column !== 'postal_code');

/**
 * Takes the addresses from peers of which nothing was stored since a time: record, multiaddr, IP, port, host name, postal
 * code and the exact place; and the locations of addresses that nobody has any more. All else about them stays.
 *
 * @returns how many peers there were; fewer than `limit` when no more are left
 */
export function forgetAddresses(database: SqliteDatabase, beforeMs: number, limit: number): Promise<number> {
  return database.transaction(async () => {
    const peers = await database.all<{ peer_id: string; ip: string | null }>(
      `SELECT peer_id, ip, ${COARSE_PLACE.map((column) =>
        column.endsWith('itude') ? `round(${column}, 1) AS ${column}` : column,
      ).join(', ')}
         FROM fact_stamps JOIN validator_tracker USING (peer_id) WHERE stored_ms < ? ORDER BY stored_ms LIMIT ?`,
      beforeMs,
      limit,
    );
    if (peers.length === 0) return 0;
    const ids = JSON.stringify(peers.map(({ peer_id }) => peer_id));
    // With its address a peer loses its place, by a trigger; the coarse one is given back.
    await database.run(
      `UPDATE validator_tracker SET enr = NULL, multiaddr = NULL, ip = NULL, port = NULL, hostname = NULL, postal_code = NULL
         WHERE peer_id IN (SELECT value FROM json_each(?))`,
      ids,
    );
    await database.run(
      `UPDATE validator_tracker SET ${COARSE_PLACE.map((column) => `${column} = value ->> '${column}'`).join(', ')}
         FROM json_each(?) WHERE validator_tracker.peer_id = value ->> 'peer_id'`,
      JSON.stringify(peers),
    );
    await database.run(
      `UPDATE fact_stamps SET stored_ms = NULL, stamps = json_remove(stamps, '$.enr', '$.address')
         WHERE peer_id IN (SELECT value FROM json_each(?))`,
      ids,
    );
    await database.run(
      `DELETE FROM locations WHERE ip IN (SELECT value FROM json_each(?))
         AND NOT EXISTS (SELECT 1 FROM validator_tracker WHERE validator_tracker.ip = locations.ip)`,
      JSON.stringify(peers.map(({ ip }) => ip)),
    );
    return peers.length;
  });
}

/** Removes dead letters received before a time, the oldest first. @returns how many, as above */
export function forgetDeadLetters(database: SqliteDatabase, beforeMs: number, limit: number): Promise<number> {
  return database.transaction(async () => {
    const { changes } = await database.run(
      `DELETE FROM dead_letters WHERE received_ms < ?
         AND id IN (SELECT id FROM dead_letters ORDER BY id LIMIT ?)`,
      beforeMs,
      limit,
    );
    return changes;
  });
}

/**
 * Removes single ids of events applied before a time: events of producers that do not number theirs. One that is
 * delivered again afterwards counts again. Numbered events are ranges, and those stay. @returns how many, as above
 */
export function forgetEventIds(database: SqliteDatabase, beforeMs: number, limit: number): Promise<number> {
  return database.transaction(async () => {
    const { changes } = await database.run(
      `DELETE FROM applied_events WHERE event_id IN
         (SELECT event_id FROM applied_events WHERE applied_ms < ? LIMIT ?)`,
      beforeMs,
      limit,
    );
    return changes;
  });
}
