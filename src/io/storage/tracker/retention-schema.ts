import type { Migration } from '../sqlite/migrate.ts';

/** What forgetting and compaction need: when a peer was last heard of here, and which files are replaced by which. */
export const RETENTION_MIGRATION: Migration = {
  name: 'when addresses were stored, and Parquet files that replace others',
  sql: `
    -- When the newest observation of a peer was stored; NULL once its addresses have been forgotten.
    ALTER TABLE fact_stamps ADD COLUMN stored_ms INTEGER;
    UPDATE fact_stamps SET stored_ms = unixepoch() * 1000;
    CREATE INDEX fact_stamps_stored ON fact_stamps (stored_ms) WHERE stored_ms IS NOT NULL;
    CREATE INDEX applied_events_applied ON applied_events (applied_ms);

    -- File names; a row is there from before the new file has its name until all old ones are gone.
    CREATE TABLE parquet_replacements (
      id INTEGER PRIMARY KEY,
      table_name TEXT NOT NULL,
      date TEXT NOT NULL,
      new_name TEXT NOT NULL,
      old_names TEXT NOT NULL
    );
  `,
};
