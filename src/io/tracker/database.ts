import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openSqlite, type SqliteDatabase } from '../sqlite.ts';
import type { Tell } from '../while-slow.ts';
import { TRACKER_FILE, TRACKER_MIGRATIONS } from './schema.ts';

/** `validator_tracker.sqlite` on two connections, so that reading never waits for writing nor holds it up. */
export interface TrackerDatabase {
  readonly writer: SqliteDatabase;
  /** Read-only; sees what has been committed. */
  readonly reader: SqliteDatabase;
  close(): Promise<void>;
}

/**
 * Opens the view in a data folder, making both when missing.
 * @param tell hears what takes long: checking a large file, copying it before its tables are changed
 * @throws DatabaseError with one line that names the file and the remedy.
 */
export async function openTracker(dataDir: string, tell: Tell = () => {}): Promise<TrackerDatabase> {
  await mkdir(dataDir, { recursive: true });
  const path = join(dataDir, TRACKER_FILE);
  const writer = await openSqlite(path, { migrations: TRACKER_MIGRATIONS, synchronous: 'FULL', tell });
  try {
    // What is forgotten is overwritten where the page is written anyway.
    await writer.exec('PRAGMA secure_delete = FAST');
    const reader = await openSqlite(path, { readOnly: true, isChecked: true });
    return {
      writer,
      reader,
      close: async () => {
        await reader.close();
        await writer.close();
      },
    };
  } catch (error) {
    await writer.close();
    throw error;
  }
}
