import { afterEach, beforeEach } from 'vitest';
import { openSentryDatabase } from '../../src/io/storage/sentry/sentry-database.ts';
import type { SqliteDatabase } from '../../src/io/storage/sqlite/sqlite.ts';
import { tempDir } from './temp-dir.ts';

/** A new `sentry.sqlite` in a new folder for each test of the file that calls this. */
export function sentryDatabaseForEachTest(): { readonly path: string; readonly database: SqliteDatabase } {
  let folder: Awaited<ReturnType<typeof tempDir>>;
  let database: SqliteDatabase;
  beforeEach(async () => {
    folder = await tempDir();
    database = await openSentryDatabase(folder.path);
  });
  afterEach(async () => {
    await database.close();
    await folder.remove();
  });
  return {
    get path() {
      return folder.path;
    },
    get database() {
      return database;
    },
  };
}
