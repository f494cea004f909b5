import { open, rename, rm, stat } from 'node:fs/promises';

/** What changes names on the disk and makes that last; tests stop between any two of them. */
export interface DiskSteps {
  /** Puts a file or a folder on stable storage. */
  sync(path: string): Promise<void>;
  /** Gives a finished file its name. Rejects when the name is taken. */
  publish(from: string, to: string): Promise<void>;
  /** Removes a file, or nothing when it is gone. */
  remove(path: string): Promise<void>;
}

export const diskSteps: DiskSteps = {
  async sync(path) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },

  async publish(from, to) {
    if (await exists(to)) throw new Error(`${to} exists already and is not overwritten`);
    await rename(from, to);
  },

  remove: (path) => rm(path, { force: true }),
};

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
