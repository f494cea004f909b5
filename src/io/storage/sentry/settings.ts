import type { SqliteDatabase } from '../sqlite/sqlite.ts';

/** What the sentry keeps about itself: a text by its name, in `sentry.sqlite`. */

/** `undefined` when it was never set. */
export async function readSetting(database: SqliteDatabase, key: string): Promise<string | undefined> {
  const row = await database.get<{ value: string }>('SELECT value FROM settings WHERE key = ?', key);
  return row?.value;
}

export function writeSetting(database: SqliteDatabase, key: string, value: string): Promise<void> {
  return database.transaction(async () => {
    await database.run(
      'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
      key,
      value,
    );
  });
}
