import { stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import sqlite3 from 'sqlite3';
import { DatabaseError } from './database-error.ts';
import { migrate } from './migrate.ts';
import { type Tell, whileSlow } from './while-slow.ts';

export { DatabaseError } from './database-error.ts';

/** One connection to a SQLite file, with promises, one transaction at a time, and forward migrations. */

/** No bigint: the driver would write NULL for it. */
export type SqlValue = string | number | Uint8Array | null;

export interface SqliteDatabase {
  readonly path: string;
  run(sql: string, ...values: SqlValue[]): Promise<{ changes: number; lastId: number }>;
  get<Row>(sql: string, ...values: SqlValue[]): Promise<Row | undefined>;
  all<Row>(sql: string, ...values: SqlValue[]): Promise<Row[]>;
  /** Runs statements separated by semicolons. */
  exec(sql: string): Promise<void>;
  /**
   * Runs `work` between BEGIN IMMEDIATE and COMMIT; rolls back when it throws. Transactions of one connection wait for
   * each other; statements outside them must not be mixed in, so do all writes of a shared connection in transactions.
   */
  transaction<T>(work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface Migration {
  /** What this step brings, for the log. */
  readonly name: string;
  readonly sql: string;
}

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
  const handle = await connect(path, readOnly, immutable);
  const database = wrap(handle, path);
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

function connect(path: string, readOnly: boolean, immutable: boolean): Promise<sqlite3.Database> {
  const name = immutable ? `${pathToFileURL(path).href}?immutable=1` : path;
  const mode = readOnly ? sqlite3.OPEN_READONLY | sqlite3.OPEN_URI : sqlite3.OPEN_READWRITE | sqlite3.OPEN_CREATE;
  return new Promise((resolve, reject) => {
    const handle = new sqlite3.Database(name, mode, (error) => {
      if (error === null) resolve(handle);
      else
        reject(
          new DatabaseError(
            `${path} cannot be opened (${error.message}); check that the folder exists and may be written`,
          ),
        );
    });
  });
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

function wrap(handle: sqlite3.Database, path: string): SqliteDatabase {
  // A connection does one thing at a time anyway. Whoever waits for it would do so in a thread of the pool that all
  // reading and writing of files shares, and there are four.
  handle.serialize();
  let lastTransaction: Promise<unknown> = Promise.resolve();

  const database: SqliteDatabase = {
    path,
    run: (sql, ...values) =>
      new Promise((resolve, reject) => {
        handle.run(sql, values, function done(this: sqlite3.RunResult, error: Error | null) {
          if (error === null) resolve({ changes: this.changes, lastId: this.lastID });
          else reject(error);
        });
      }),
    get: <Row>(sql: string, ...values: SqlValue[]) =>
      new Promise<Row | undefined>((resolve, reject) => {
        handle.get(sql, values, (error: Error | null, row: Row | undefined) =>
          error === null ? resolve(row) : reject(error),
        );
      }),
    all: <Row>(sql: string, ...values: SqlValue[]) =>
      new Promise<Row[]>((resolve, reject) => {
        handle.all(sql, values, (error: Error | null, rows: Row[]) => (error === null ? resolve(rows) : reject(error)));
      }),
    exec: (sql) =>
      new Promise((resolve, reject) => {
        handle.exec(sql, (error) => (error === null ? resolve() : reject(error)));
      }),
    transaction: (work) => {
      // Whether the one before has failed is told to who asked for it.
      const inTurn = () => inTransaction(database, work);
      const result = lastTransaction.then(inTurn, inTurn);
      lastTransaction = result;
      return result;
    },
    close: async () => {
      await Promise.allSettled([lastTransaction]);
      await new Promise<void>((resolve, reject) => {
        handle.close((error) => (error === null ? resolve() : reject(error)));
      });
    },
  };
  return database;
}

async function inTransaction<T>(database: SqliteDatabase, work: () => Promise<T>): Promise<T> {
  await database.exec('BEGIN IMMEDIATE');
  try {
    const result = await work();
    await database.exec('COMMIT');
    return result;
  } catch (error) {
    // A failed COMMIT may have ended the transaction by itself; there is then nothing to roll back.
    await database.exec('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
