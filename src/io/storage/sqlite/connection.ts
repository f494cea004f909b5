import { pathToFileURL } from 'node:url';
import sqlite3 from 'sqlite3';
import { inTurn } from '../../../streams/flow/in-turn.ts';
import { DatabaseError } from './database-error.ts';

/** No bigint: the driver would write NULL for it. */
export type SqlValue = string | number | Uint8Array | null;

/** One connection to a SQLite file, with promises, and one transaction at a time. */
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

export interface ConnectOptions {
  readonly readOnly: boolean;
  /** Nobody writes the file while it is open: not even a lock is written. */
  readonly immutable: boolean;
}

/**
 * Opens (and creates) the file and nothing more: neither is it checked nor is anything set.
 * @throws DatabaseError when it cannot be opened
 */
export async function connect(path: string, options: ConnectOptions): Promise<SqliteDatabase> {
  return wrap(await openHandle(path, options), path);
}

function openHandle(path: string, { readOnly, immutable }: ConnectOptions): Promise<sqlite3.Database> {
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

function wrap(handle: sqlite3.Database, path: string): SqliteDatabase {
  // A connection does one thing at a time anyway. Whoever waits for it would do so in a thread of the pool that all
  // reading and writing of files shares, and there are four.
  handle.serialize();
  const transactions = inTurn();

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
    transaction: (work) => transactions.take(() => inTransaction(database, work)),
    close: async () => {
      await transactions.done();
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
