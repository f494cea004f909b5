import type { SqliteDatabase } from '../../storage/sqlite/sqlite.ts';

/** The table of readers and their cursors. All but the reading is to be called inside a transaction. */

export interface DurableRow {
  readonly name: string;
  readonly cursor: number;
}

export function durableRows(database: SqliteDatabase): Promise<DurableRow[]> {
  return database.all<DurableRow>('SELECT name, cursor FROM event_log_durables');
}

/** Makes `durables` the readers that entries wait for: new ones first get all that is held, others are dropped. */
export async function keepDurables(database: SqliteDatabase, durables: readonly string[]): Promise<void> {
  const names = JSON.stringify(durables);
  await database.run(
    'INSERT INTO event_log_durables SELECT value, 0 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING',
    names,
  );
  await database.run('DELETE FROM event_log_durables WHERE name NOT IN (SELECT value FROM json_each(?))', names);
}

export async function addDurable(database: SqliteDatabase, name: string): Promise<void> {
  await database.run('INSERT INTO event_log_durables VALUES (?, 0) ON CONFLICT DO NOTHING', name);
}

/** Does nothing for a reader that is not there. */
export async function setCursor(database: SqliteDatabase, name: string, cursor: number): Promise<void> {
  await database.run('UPDATE event_log_durables SET cursor = ? WHERE name = ?', cursor, name);
}
