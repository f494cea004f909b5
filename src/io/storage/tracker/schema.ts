import type { Migration } from '../sqlite/migrate.ts';
import { LOCATIONS_MIGRATION } from './locations-schema.ts';
import { RETENTION_MIGRATION } from './retention-schema.ts';

/**
 * `validator_tracker.sqlite`. Names of the first columns of `validator_tracker` are those of the Go program; a column
 * is NULL while nothing has stated it.
 */
export const TRACKER_MIGRATIONS: readonly Migration[] = [
  {
    name: 'the stateful view, what has been applied to it, and the rows waiting for Parquet',
    sql: `
      CREATE TABLE validator_tracker (
        peer_id TEXT PRIMARY KEY,
        enr TEXT,
        multiaddr TEXT,
        ip TEXT,
        port INTEGER,
        last_seen INTEGER NOT NULL,
        last_epoch INTEGER,
        client_version TEXT,
        possible_validator INTEGER NOT NULL,
        max_validator_count INTEGER NOT NULL,
        num_observations INTEGER NOT NULL,
        hostname TEXT,
        city TEXT,
        region TEXT,
        country TEXT,
        latitude REAL,
        longitude REAL,
        postal_code TEXT,
        asn TEXT,
        asn_organization TEXT,
        asn_type TEXT,
        validators_estimate REAL,
        validators_low REAL,
        validators_high REAL,
        stake_eth_low REAL,
        stake_eth_high REAL,
        estimate_method TEXT,
        estimate_flags TEXT,
        first_seen INTEGER NOT NULL,
        long_lived_subnets TEXT,
        short_lived_subnets TEXT,
        custody_group_count INTEGER,
        fork_digest TEXT,
        direction TEXT,
        transport TEXT
      );
      CREATE INDEX validator_tracker_last_seen ON validator_tracker (last_seen);

      -- Which observation each fact of a row came from, so that late events find their place.
      CREATE TABLE fact_stamps (peer_id TEXT PRIMARY KEY, stamps TEXT NOT NULL) WITHOUT ROWID;

      CREATE TABLE validator_estimates (
        peer_id TEXT NOT NULL,
        method TEXT NOT NULL,
        estimate REAL,
        low REAL,
        high REAL,
        observations INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (peer_id, method)
      ) WITHOUT ROWID;

      -- Applied event ids: runs of sequence numbers for producers that number their events, single ids for the others.
      CREATE TABLE applied_ranges (
        producer TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (producer, first)
      ) WITHOUT ROWID;
      CREATE TABLE applied_events (event_id TEXT PRIMARY KEY, applied_ms INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE log_positions (log TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;

      CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        log TEXT NOT NULL,
        position INTEGER NOT NULL,
        event_id TEXT NOT NULL,
        subject TEXT NOT NULL,
        reason TEXT NOT NULL,
        payload BLOB NOT NULL,
        payload_bytes INTEGER NOT NULL,
        received_ms INTEGER NOT NULL
      );

      -- Positions are never used twice: they name the Parquet files.
      CREATE TABLE parquet_staging (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        table_name TEXT NOT NULL,
        date TEXT NOT NULL,
        row TEXT NOT NULL
      );
      CREATE INDEX parquet_staging_partition ON parquet_staging (table_name, date, position);
    `,
  },
  {
    name: 'what the estimators remember of each peer, what they say, and what they said at the end of each day',
    sql: `
      ALTER TABLE validator_tracker ADD COLUMN estimate_observations INTEGER;
      ALTER TABLE validator_tracker ADD COLUMN estimate_from_ms INTEGER;
      ALTER TABLE validator_tracker ADD COLUMN estimate_to_ms INTEGER;

      -- Sufficient statistics, as estimator-state.ts writes them.
      CREATE TABLE estimator_states (peer_id TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;

      -- The combined estimate as it was at the end of a day (UTC) in which the peer was observed.
      CREATE TABLE validator_history (
        day TEXT NOT NULL,
        peer_id TEXT NOT NULL,
        validators_estimate REAL,
        validators_low REAL,
        validators_high REAL,
        stake_eth_low REAL,
        stake_eth_high REAL,
        max_validator_count INTEGER NOT NULL,
        num_observations INTEGER NOT NULL,
        PRIMARY KEY (day, peer_id)
      ) WITHOUT ROWID;
    `,
  },
  LOCATIONS_MIGRATION,
  RETENTION_MIGRATION,
];

export const TRACKER_FILE = 'validator_tracker.sqlite';
