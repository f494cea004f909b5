import type { Migration } from '../sqlite/migrate.ts';

/**
 * Columns that say where an address is, in `locations` and, by the triggers below, in `validator_tracker`, where they must not
 * outlive the address.
 */
export const PLACE_COLUMNS = [
  'hostname',
  'city',
  'region',
  'country',
  'latitude',
  'longitude',
  'postal_code',
  'asn',
  'asn_organization',
  'asn_type',
] as const;

const COPY_TO_PEERS = `UPDATE validator_tracker SET (${PLACE_COLUMNS.join(', ')}) =
  (SELECT ${PLACE_COLUMNS.join(', ')} FROM locations WHERE locations.ip = new.ip)`;

/**
 * A peer stands where its address is: from the moment it has one that is known, and from the moment that becomes known.
 * Triggers, because the two are written by writers that know nothing of each other.
 */
export const LOCATIONS_MIGRATION: Migration = {
  name: 'where addresses are, and peers with them',
  sql: `
    CREATE TABLE locations (
      ip TEXT PRIMARY KEY,
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
      sources TEXT NOT NULL,
      data_version TEXT NOT NULL,
      located_ms INTEGER NOT NULL,
      expires_ms INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX validator_tracker_ip ON validator_tracker (ip);

    CREATE TRIGGER locate_new_peer AFTER INSERT ON validator_tracker
      WHEN EXISTS (SELECT 1 FROM locations WHERE ip = new.ip)
      BEGIN ${COPY_TO_PEERS} WHERE peer_id = new.peer_id; END;
    CREATE TRIGGER locate_moved_peer AFTER UPDATE OF ip ON validator_tracker WHEN new.ip IS NOT old.ip
      BEGIN ${COPY_TO_PEERS} WHERE peer_id = new.peer_id; END;
    CREATE TRIGGER locate_peers_of_new_location AFTER INSERT ON locations
      BEGIN ${COPY_TO_PEERS} WHERE ip = new.ip; END;
    CREATE TRIGGER locate_peers_of_location AFTER UPDATE ON locations
      BEGIN ${COPY_TO_PEERS} WHERE ip = new.ip; END;
  `,
};
