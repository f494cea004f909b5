import type { Remembered, StreamMemory } from '../../../streams/ports/stream-memory.ts';
import type { SqliteDatabase } from '../../storage/sqlite/sqlite.ts';

const SETTING = 'nats_publishing';

type Stored = Pick<Remembered, 'incarnation' | 'settled'> & Partial<Remembered>;

/** Keeps in `sentry.sqlite` which stream the events were published to, and how far that is certain. */
export function streamMemory(database: SqliteDatabase): StreamMemory {
  return {
    async load() {
      const row = await database.get<{ value: string }>('SELECT value FROM settings WHERE key = ?', SETTING);
      if (row === undefined) return null;
      // Earlier versions kept only the first two.
      const { incarnation, settled, sequence = 0, readers = {} } = JSON.parse(row.value) as Stored;
      return { incarnation, settled, sequence, readers };
    },
    async save(remembered) {
      await database.transaction(() =>
        database.run(
          'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
          SETTING,
          JSON.stringify(remembered),
        ),
      );
    },
  };
}
