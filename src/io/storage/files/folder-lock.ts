import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sqlite3 from 'sqlite3';

/** What a process does with a data folder: a sentry owns `sentry.sqlite`, a consumer the view and the Parquet files. */
export type FolderRole = 'sentry' | 'consumer';

export interface FolderLock {
  release(): Promise<void>;
}

/** Another process has the folder; the message says which, and what to do. */
export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError';
}

/** Two that try at the same moment get in each other's way, and then one of them must try again. */
const TRY_MS = 300;

/**
 * Takes a data folder for one role. Both roles keep in memory what their files say, so that two processes would count
 * wrongly without noticing. The lock is SQLite's on `<role>.lock`, which is the operating system's: it ends with the
 * process, however that ends.
 *
 * @throws FolderInUseError when another process, or this one, has it.
 */
export async function lockFolder(dataDir: string, role: FolderRole): Promise<FolderLock> {
  const handle = await open(join(dataDir, `${role}.lock`));
  const pidPath = join(dataDir, `${role}.pid`);
  try {
    handle.configure('busyTimeout', TRY_MS);
    await exec(handle, 'PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    await close(handle);
    if ((error as NodeJS.ErrnoException).code !== 'SQLITE_BUSY') {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`the data folder ${dataDir} cannot be locked (${reason}); give another --data-dir`);
    }
    const pid = await pidIn(pidPath);
    throw new FolderInUseError(
      `the data folder ${dataDir} is in use by a running valtrack${pid === null ? '' : ` (pid ${pid})`}; ` +
        'stop it or give another --data-dir',
    );
  }
  // Nothing but that message depends on it.
  await writeFile(pidPath, `${process.pid}\n`);
  return { release: () => close(handle) };
}

/** Who has taken the lock last, `null` when nobody can say. */
async function pidIn(path: string): Promise<string | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return /^[1-9]\d*$/.exec(text.trim())?.[0] ?? null;
}

function open(path: string): Promise<sqlite3.Database> {
  return new Promise((resolve, reject) => {
    const handle = new sqlite3.Database(path, (error) => {
      if (error === null) resolve(handle);
      else reject(new Error(`${path} cannot be opened (${error.message}); check that the folder may be written`));
    });
  });
}

function exec(handle: sqlite3.Database, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    handle.exec(sql, (error) => (error === null ? resolve() : reject(error)));
  });
}

function close(handle: sqlite3.Database): Promise<void> {
  return new Promise((resolve, reject) => {
    handle.close((error) => (error === null ? resolve() : reject(error)));
  });
}
