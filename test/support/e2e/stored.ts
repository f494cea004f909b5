import { readFile } from 'node:fs/promises';
import { duckdb } from '../duckdb.ts';

/** What a data folder holds, read by DuckDB from the Parquet files alone. */

/** `metadata_events` with, for each row, its long-lived and its short-lived subnets and how many of the latter. */
function observationsSql(dataDir: string): string {
  const bit = `('0x' || substr(metadata.attnets, 2 * (s // 8) + 1, 2))::INT >> (s % 8)::INT & 1`;
  return `
    SELECT *, len(short_lived) AS short_lived_count FROM (
      SELECT *, list_distinct(list_filter(subscribed_subnets,
        lambda s: s BETWEEN 0 AND 63 AND NOT list_contains(long_lived, s))) AS short_lived
      FROM (
        SELECT *, list_filter(range(64), lambda s: (${bit}) = 1) AS long_lived
        FROM read_parquet('${dataDir}/parquet/metadata_events/*/*.parquet')
      )
    )`;
}

export interface StoredObservation {
  readonly peer_id: string;
  readonly event_id: string;
  readonly observed_from: number;
  readonly observed_to: number;
  /** `null` when the metadata was not got, which makes the observation say nothing of short-lived ones. */
  readonly long_lived: readonly number[] | null;
  readonly subscribed: readonly number[];
}

export async function storedObservations(dataDir: string): Promise<StoredObservation[]> {
  const rows = await duckdb(`
    SELECT id AS peer_id, event_id, observed_from::DOUBLE AS observed_from, observed_to::DOUBLE AS observed_to,
      CASE WHEN metadata IS NOT NULL THEN long_lived::INT[] END AS long_lived, list_sort(list_distinct(subscribed_subnets))::INT[] AS subscribed
    FROM (${observationsSql(dataDir)})`);
  return rows as unknown as StoredObservation[];
}

/** The figures of the view, computed from the rows. */
export interface PeerFigures {
  readonly peer_id: string;
  readonly num_observations: number;
  readonly max_validator_count: number;
  readonly last_seen: number;
  readonly client_version: string;
}

export async function figuresFromParquet(dataDir: string): Promise<PeerFigures[]> {
  const rows = await duckdb(`
    SELECT id AS peer_id, count(DISTINCT event_id)::INT AS num_observations,
      coalesce(max(short_lived_count) FILTER (metadata IS NOT NULL), 0)::INT AS max_validator_count,
      max(timestamp)::DOUBLE AS last_seen,
      arg_max(client_version, timestamp) FILTER (client_version NOT IN ('', 'unknown')) AS client_version
    FROM (${observationsSql(dataDir)}) GROUP BY id ORDER BY id`);
  return rows as unknown as PeerFigures[];
}

/** Rows and distinct event ids of a table. */
export async function rowCounts(dataDir: string, table: string): Promise<{ rows: number; ids: number }> {
  const [counts] = await duckdb(`
    SELECT count(*)::INT AS rows, count(DISTINCT event_id)::INT AS ids
    FROM read_parquet('${dataDir}/parquet/${table}/*/*.parquet')`);
  return counts as { rows: number; ids: number };
}

/** A peer as `/validators` tells it to the holder of a key. */
export interface Validator extends PeerFigures {
  readonly long_lived_subnets: readonly number[] | null;
  readonly [column: string]: unknown;
}

export async function fetchValidators(url: string, key: string): Promise<Validator[]> {
  const response = await fetch(`${url}/validators`, { headers: { 'X-API-Key': key } });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as Validator[];
}

export function figuresOf(validators: readonly Validator[]): PeerFigures[] {
  return validators
    .map(({ peer_id, num_observations, max_validator_count, last_seen, client_version }) => {
      return { peer_id, num_observations, max_validator_count, last_seen, client_version };
    })
    .sort((a, b) => (a.peer_id < b.peer_id ? -1 : 1));
}

/** What each node of a devnet was subscribed to, and when. */
export interface SubscriptionTruth {
  /** Subnets held from the first moment to the last, and subnets held at any moment, ends included. */
  during(peerId: string, fromMs: number, toMs: number): { always: Set<number>; ever: Set<number> };
}

export async function subscriptionTruth(path: string): Promise<SubscriptionTruth> {
  const changesOf = new Map<string, { atMs: number; subnets: number[] }[]>();
  for (const line of (await readFile(path, 'utf8')).trim().split('\n')) {
    const change = JSON.parse(line) as { at_ms: number; peer_id: string; subnets: number[] };
    const known = changesOf.get(change.peer_id) ?? [];
    known.push({ atMs: change.at_ms, subnets: change.subnets });
    changesOf.set(change.peer_id, known);
  }
  return {
    during(peerId, fromMs, toMs) {
      const changes = changesOf.get(peerId) ?? [];
      const within = changes.filter(({ atMs }, index) => {
        const untilMs = changes[index + 1]?.atMs ?? Number.POSITIVE_INFINITY;
        return atMs <= toMs && untilMs >= fromMs;
      });
      const [first, ...others] = within.map(({ subnets }) => new Set(subnets));
      const none = new Set<number>();
      return {
        always: others.reduce((all, more) => all.intersection(more), first ?? none),
        ever: others.reduce((all, more) => all.union(more), first ?? none),
      };
    },
  };
}
