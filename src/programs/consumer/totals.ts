import type { SqliteDatabase } from '../../io/storage/sqlite/sqlite.ts';

/** What people are told of the view while the program runs, and at its end. */

/** The published rule's figures over all peers. */
export interface StoreTotals {
  readonly peers: number;
  readonly observations: number;
  readonly validators: number;
  /** Peers of which a place is known, and in how many countries they are. */
  readonly placed: number;
  readonly countries: number;
}

export const NO_TOTALS: StoreTotals = { peers: 0, observations: 0, validators: 0, placed: 0, countries: 0 };

export async function storeTotals(database: SqliteDatabase): Promise<StoreTotals> {
  const row = await database.get<StoreTotals>(
    `SELECT count(*) AS peers, coalesce(sum(num_observations), 0) AS observations,
            coalesce(sum(max_validator_count), 0) AS validators,
            count(country) AS placed, count(DISTINCT country) AS countries FROM validator_tracker`,
  );
  return row ?? NO_TOTALS;
}

/** A peer of the stored view, as far as a summary needs it. */
export interface StoredPeer {
  readonly peerId: string;
  readonly clientVersion: string;
  readonly observations: number;
  readonly publishedCount: number;
  /** Validators: the estimate, or what there are at least, or `null`. */
  readonly estimate: number | null;
}

export function storedPeers(database: SqliteDatabase): Promise<StoredPeer[]> {
  return database.all<StoredPeer>(
    `SELECT peer_id AS peerId, coalesce(client_version, '') AS clientVersion, num_observations AS observations,
            max_validator_count AS publishedCount, coalesce(validators_estimate, validators_low) AS estimate
       FROM validator_tracker`,
  );
}
