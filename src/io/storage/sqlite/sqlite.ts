import { stat } from 'node:fs/promises';
import { connect, type SqliteDatabase } from './connection.ts';
import { DatabaseError } from './database-error.ts';
import { type Migration, migrate } from './migrate.ts';
import { type Tell, whileSlow } from './while-slow.ts';

export type { SqliteDatabase, SqlValue } from './connection.ts';
export { DatabaseError } from './database-error.ts';

export interface OpenOptions {
  readonly migrations?: readonly Migration[];
  readonly readOnly?: boolean;
  /** Nobody writes the file while it is open, so that it can be read where not even a lock may be written. */
  readonly immutable?: boolean;
  /**
   * `FULL` syncs the write-ahead log at each commit, so that a commit survives a power cut: what an acknowledgement
   * relies on. `NORMAL` may lose the last commits, never consistency.
   */
  readonly synchronous?: 'FULL' | 'NORMAL';
  /** Another connection has just found the file sound: it is not checked again. */
  readonly isChecked?: boolean;
  /** Told what is being done when the file is large and that takes long. */
  readonly tell?: Tell;
}

const BUSY_TIMEOUT_MS = 10_000;

/** The write-ahead log grows while a reader looks at an old state; afterwards it is cut to this. */
const WAL_LIMIT_BYTES = 64 * 1024 * 1024;

/**
 * Opens (and creates) a database in WAL mode, checks that it is sound, and brings its schema forward.
 * @throws DatabaseError with one line that names the file and the remedy.
 */
export async function openSqlite(
  path: string,
  {
    migrations = [],
    immutable = false,
    readOnly = immutable,
    synchronous = 'FULL',
    isChecked = false,
    tell = () => {},
  }: OpenOptions = {},
): Promise<SqliteDatabase> {
  const database = await connect(path, { readOnly, immutable });
  try {
    await database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    if (!readOnly) {
      await database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA foreign_keys = ON;
        PRAGMA journal_size_limit = ${WAL_LIMIT_BYTES}`);
    }
    if (!isChecked) await checkIntegrity(database, tell);
    if (!readOnly) await migrate(database, migrations, tell);
    return database;
  } catch (error) {
    await database.close();
    if (error instanceof DatabaseError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseError(`${path} cannot be used as a SQLite database (${reason}); move it away or restore a copy`);
  }
}

/**
 * The whole file, whatever its size: what months of events were reduced to is worth some seconds of a start. It reads at
 * the speed of the disk.
 */
async function checkIntegrity(database: SqliteDatabase, tell: Tell): Promise<void> {
  const gigabytes = ((await stat(database.path)).size / 1e9).toFixed(1);
  const row = await whileSlow(tell, `checking ${database.path} for damage (${gigabytes} GB)`, () =>
    database.get<{ quick_check: string }>('PRAGMA quick_check(1)'),
  );
  if (row?.quick_check === 'ok') return;
  const finding = (row?.quick_check ?? 'no answer').replaceAll(/\s+/g, ' ');
  throw new DatabaseError(`${database.path} is damaged (${finding}); move it away or restore a copy`);
}
