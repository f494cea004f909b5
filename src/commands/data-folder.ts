import { access, constants, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';

/** Makes the data folder and checks that it can be written. @throws Error that names it and the remedy */
export async function prepareDataFolder(path: string): Promise<string> {
  const folder = resolve(path);
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return folder;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Error(`data folder ${folder} cannot be used (${code}); choose another with --data-dir`);
  }
}
