import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EVENT_LOG_MIGRATIONS } from '../../event-log/embedded/schema.ts';
import type { Migration } from '../sqlite/migrate.ts';
import { openSqlite, type SqliteDatabase } from '../sqlite/sqlite.ts';
import type { Tell } from '../sqlite/while-slow.ts';

/** `sentry.sqlite`: the embedded event log, the peers the registry knows, and what the sentry keeps about itself. */

export const SENTRY_FILE = 'sentry.sqlite';

/** The file's version is the length of this list: new steps of whatever table go to its end, none is ever moved. */
export const SENTRY_MIGRATIONS: readonly Migration[] = [
  ...EVENT_LOG_MIGRATIONS,
  {
    name: 'known peers',
    sql: `CREATE TABLE peers (
      peer_id TEXT PRIMARY KEY,
      record TEXT NOT NULL,
      updated_ms INTEGER NOT NULL
    ) WITHOUT ROWID`,
  },
  { name: 'settings', sql: 'CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT)' },
];

/**
 * Opens `sentry.sqlite` in the data folder, making both when missing. A commit is on disk (`synchronous=FULL`).
 * @param tell hears what takes long: checking a large file, copying it before its tables are changed
 * @throws DatabaseError with one line that names the file and the remedy.
 */
export async function openSentryDatabase(dataDir: string, tell: Tell = () => {}): Promise<SqliteDatabase> {
  await mkdir(dataDir, { recursive: true });
  return openSqlite(join(dataDir, SENTRY_FILE), { migrations: SENTRY_MIGRATIONS, synchronous: 'FULL', tell });
}
