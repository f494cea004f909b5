import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes the folder that an option names and checks that it can be written.
 * @throws Error that names the folder and the remedy
 */
export async function prepareFolder(path: string, option: string): Promise<string> {
  const folder = resolve(path);
  try {
    await make(folder);
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return folder;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Error(`folder ${folder} cannot be used (${code}); choose another with ${option}`);
  }
}

/** One level at a time: `mkdir` with `recursive` never returns where a file system refuses new folders with ENOENT, as /proc does. */
async function make(folder: string): Promise<void> {
  if (await exists(folder)) return;
  await make(dirname(folder));
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

/** @throws the file system's error when something else than a folder stands there */
async function exists(folder: string): Promise<boolean> {
  const found = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found !== null && !found.isDirectory()) throw Object.assign(new Error(folder), { code: 'ENOTDIR' });
  return found !== null;
}
