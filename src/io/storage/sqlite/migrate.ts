import { type DiskSteps, diskSteps } from '../files/disk-steps.ts';
import { backUp } from './backup.ts';
import type { SqliteDatabase } from './connection.ts';
import { DatabaseError } from './database-error.ts';
import { type Tell, whileSlow } from './while-slow.ts';

export interface Migration {
  /** What this step brings, for the log. */
  readonly name: string;
  readonly sql: string;
}

/**
 * Brings a schema forward, each step in a transaction of its own, after a copy of what there was. The file's version is
 * the number of steps it has had; one that has had none is new, and nothing in it is worth a copy.
 *
 * @throws DatabaseError when the file is newer than the steps, or cannot be copied.
 */
export async function migrate(
  database: SqliteDatabase,
  migrations: readonly Migration[],
  tell: Tell,
  steps: DiskSteps = diskSteps,
): Promise<void> {
  const row = await database.get<{ user_version: number }>('PRAGMA user_version');
  const version = row?.user_version ?? 0;
  if (version > migrations.length && migrations.length > 0) {
    throw new DatabaseError(
      `${database.path} has schema version ${version}, newer than this program's ${migrations.length}; use a newer valtrack`,
    );
  }
  if (version > 0 && version < migrations.length) await backUp(database, version, tell, steps);
  for (const [index, migration] of migrations.entries()) {
    if (index < version) continue;
    await whileSlow(tell, `bringing ${database.path} to schema version ${index + 1}: ${migration.name}`, () =>
      database.transaction(async () => {
        await database.exec(migration.sql);
        await database.exec(`PRAGMA user_version = ${index + 1}`);
      }),
    );
  }
}
