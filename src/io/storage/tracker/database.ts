import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openSqlite, type SqliteDatabase } from '../sqlite/sqlite.ts';
import type { Tell } from '../sqlite/while-slow.ts';
import { TRACKER_FILE, TRACKER_MIGRATIONS } from './schema.ts';

/**
 * `validator_tracker.sqlite` on a connection for each kind of work, so that none waits for another. All but the writer
 * only read, and see what has been committed.
 */
export interface TrackerDatabase {
  readonly writer: SqliteDatabase;
  /** For a peer, or a page of them. */
  readonly reader: SqliteDatabase;
  /** For what adds up all peers, or all days. */
  readonly figures: SqliteDatabase;
  /** For rows on their way to Parquet. */
  readonly staged: SqliteDatabase;
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
  await using stack = new AsyncDisposableStack();
  const open = async (options: Parameters<typeof openSqlite>[1]) => {
    const database = await openSqlite(path, options);
    stack.defer(() => database.close());
    return database;
  };
  const writer = await open({ migrations: TRACKER_MIGRATIONS, synchronous: 'FULL', tell });
  // What is forgotten is overwritten where the page is written anyway.
  await writer.exec('PRAGMA secure_delete = FAST');
  const openReader = () => open({ readOnly: true, isChecked: true });
  const [reader, figures, staged] = [await openReader(), await openReader(), await openReader()];
  const opened = stack.move();
  return { writer, reader, figures, staged, close: () => opened.disposeAsync() };
}
