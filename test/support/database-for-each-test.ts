import { afterEach, beforeEach } from 'vitest';
import { tempDir } from './temp-dir.ts';

/** A new database in a new folder for each test of the file that calls this. */
export function databaseForEachTest<D extends { close(): Promise<void> }>(
  open: (dataDir: string) => Promise<D>,
): { readonly path: string; readonly database: D } {
  let folder: Awaited<ReturnType<typeof tempDir>>;
  let database: D;
  beforeEach(async () => {
    folder = await tempDir();
    database = await open(folder.path);
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
