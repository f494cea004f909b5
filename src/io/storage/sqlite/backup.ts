import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DiskSteps } from '../files/disk-steps.ts';
import type { SqliteDatabase } from './connection.ts';
import { DatabaseError } from './database-error.ts';
import { type Tell, whileSlow } from './while-slow.ts';

export interface Backup {
  readonly path: string;
  readonly version: number;
  readonly modifiedMs: number;
}

/** Of each database the newest copies are kept, and no others. */
const KEPT_BACKUPS = 2;
const BYTES_PER_MB = 1_000_000;

/** The copies of a database that {@link backUp} has made, the newest first. */
export async function backupsOf(databasePath: string): Promise<Backup[]> {
  const folder = dirname(databasePath);
  const prefix = `${basename(databasePath)}.backup-v`;
  const backups: Backup[] = [];
  for (const name of await readdir(folder)) {
    const version = name.startsWith(prefix) ? /^(\d+)(-\d+)?$/.exec(name.slice(prefix.length))?.[1] : undefined;
    if (version === undefined) continue;
    const path = join(folder, name);
    backups.push({ path, version: Number(version), modifiedMs: (await stat(path)).mtimeMs });
  }
  return backups.sort((a, b) => b.modifiedMs - a.modifiedMs);
}

/**
 * Copies a database that is open, as it stands, to `<file>.backup-v<version>`; the copy is whole and on stable storage
 * before it has that name. A copy that nothing has been written since is not made again, and none is ever overwritten:
 * a later one of the same version has `-2` behind its name.
 *
 * @throws DatabaseError when there is no room; the database is as it was.
 */
export async function backUp(database: SqliteDatabase, version: number, tell: Tell, steps: DiskSteps): Promise<void> {
  const { path } = database;
  const before = await backupsOf(path);
  const writtenMs = await lastWritten(path);
  if (before.some((backup) => backup.version === version && backup.modifiedMs >= writtenMs)) return;
  const name = unusedName(path, version, before);
  const unfinished = `${name}.tmp`;
  try {
    await steps.remove(unfinished);
    await whileSlow(tell, `copying ${path} to ${name} before its tables are changed`, () =>
      database.run('VACUUM INTO ?', unfinished),
    );
    await steps.sync(unfinished);
    await steps.publish(unfinished, name);
    await steps.sync(dirname(path));
  } catch (error) {
    const megabytes = Math.ceil((await stat(path)).size / BYTES_PER_MB);
    const cause = await removed(unfinished, steps, error);
    throw new DatabaseError(
      `${path} could not be copied to ${name} before its tables are changed (${cause}); ` +
        `make sure that its folder has room for ${megabytes} MB. Nothing has been changed`,
    );
  }
  for (const { path: old } of before.slice(KEPT_BACKUPS - 1)) {
    await steps.remove(old).catch((error: unknown) => tell(`${old} could not be removed (${messageOf(error)})`));
  }
}

/** Both reasons when not even the unfinished copy can be removed. */
async function removed(unfinished: string, steps: DiskSteps, error: unknown): Promise<string> {
  try {
    await steps.remove(unfinished);
    return messageOf(error);
  } catch (second) {
    return `${messageOf(error)}; ${messageOf(second)}`;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unusedName(path: string, version: number, backups: readonly Backup[]): string {
  const base = `${path}.backup-v${version}`;
  const taken = new Set(backups.map((backup) => backup.path));
  let name = base;
  for (let count = 2; taken.has(name); count++) name = `${base}-${count}`;
  return name;
}

/** When the database was last written. Opening it makes an empty write-ahead log, which is no writing. */
async function lastWritten(path: string): Promise<number> {
  const { mtimeMs } = await stat(path);
  const log = await stat(`${path}-wal`).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  return log === null || log.size === 0 ? mtimeMs : Math.max(mtimeMs, log.mtimeMs);
}
