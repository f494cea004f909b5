import type { Migration } from '../../storage/sqlite/migrate.ts';

/**
 * The embedded log's tables. AUTOINCREMENT, because the position of a deleted entry must never be given out again. A
 * durable's cursor is the position up to which it has acknowledged everything.
 */
export const EVENT_LOG_MIGRATIONS: readonly Migration[] = [
  {
    name: 'event log',
    sql: `
      CREATE TABLE event_log_entries (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id TEXT NOT NULL UNIQUE,
        subject TEXT NOT NULL,
        payload BLOB NOT NULL,
        appended_ms INTEGER NOT NULL
      );
      CREATE TABLE event_log_durables (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL) WITHOUT ROWID;`,
  },
];
