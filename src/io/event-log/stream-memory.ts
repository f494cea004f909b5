import type { StreamMemory } from '../../streams/publishing.ts';
import type { SqliteDatabase } from '../sqlite.ts';

const SETTING = 'nats_stream';

/** Keeps in `sentry.sqlite` which stream the events were published to. */
export function streamMemory(database: SqliteDatabase): StreamMemory {
  return {
    async load() {
      const row = await database.get<{ value: string }>('SELECT value FROM settings WHERE key = ?', SETTING);
      return row?.value ?? null;
    },
    async save(incarnation) {
      await database.transaction(() =>
        database.run(
          'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
          SETTING,
          incarnation,
        ),
      );
    },
  };
}
