import sqlite3 from 'sqlite3';

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
  /**
   * `FULL` syncs the write-ahead log at each commit, so that a commit survives a power cut: what an acknowledgement
   * relies on. `NORMAL` may lose the last commits, never consistency.
   */
  readonly synchronous?: 'FULL' | 'NORMAL';
}

/** The file is not a usable database, or is newer than this program; the message says what to do. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

const BUSY_TIMEOUT_MS = 10_000;

/**
 * Opens (and creates) a database in WAL mode, checks that it is sound, and brings its schema forward.
 * @throws DatabaseError with one line that names the file and the remedy.
 */
export async function openSqlite(
  path: string,
  { migrations = [], readOnly = false, synchronous = 'FULL' }: OpenOptions = {},
): Promise<SqliteDatabase> {
  const handle = await connect(path, readOnly);
  const database = wrap(handle, path);
  try {
    await database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    if (!readOnly) {
      await database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA foreign_keys = ON`);
    }
    await checkIntegrity(database);
    if (!readOnly) await migrate(database, migrations);
    return database;
  } catch (error) {
    await database.close();
    if (error instanceof DatabaseError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseError(`${path} cannot be used as a SQLite database (${reason}); move it away or restore a copy`);
  }
}

function connect(path: string, readOnly: boolean): Promise<sqlite3.Database> {
  const mode = readOnly ? sqlite3.OPEN_READONLY : sqlite3.OPEN_READWRITE | sqlite3.OPEN_CREATE;
  return new Promise((resolve, reject) => {
    const handle = new sqlite3.Database(path, mode, (error) => {
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

async function checkIntegrity(database: SqliteDatabase): Promise<void> {
  const row = await database.get<{ quick_check: string }>('PRAGMA quick_check(1)');
  if (row?.quick_check === 'ok') return;
  const finding = (row?.quick_check ?? 'no answer').replaceAll(/\s+/g, ' ');
  throw new DatabaseError(`${database.path} is damaged (${finding}); move it away or restore a copy`);
}

async function migrate(database: SqliteDatabase, migrations: readonly Migration[]): Promise<void> {
  const row = await database.get<{ user_version: number }>('PRAGMA user_version');
  const version = row?.user_version ?? 0;
  if (version > migrations.length && migrations.length > 0) {
    throw new DatabaseError(
      `${database.path} has schema version ${version}, newer than this program's ${migrations.length}; use a newer valtrack`,
    );
  }
  for (const [index, migration] of migrations.entries()) {
    if (index < version) continue;
    await database.transaction(async () => {
      await database.exec(migration.sql);
      await database.exec(`PRAGMA user_version = ${index + 1}`);
    });
  }
}

function wrap(handle: sqlite3.Database, path: string): SqliteDatabase {
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
      const result = lastTransaction.then(() => inTransaction(database, work));
      lastTransaction = result.catch(() => undefined);
      return result;
    },
    close: async () => {
      await lastTransaction;
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
