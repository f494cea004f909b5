import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';

const FILE = 'consumer-id';

/**
 * What tells the consumer of this folder from all others, over restarts: a random name in the file `consumer-id`, and
 * where the folder is, so that a copy of it elsewhere is another consumer.
 */
export async function consumerId(dataDir: string): Promise<string> {
  const path = join(dataDir, FILE);
  await writeFile(path, randomUUID(), { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return `${await readFile(path, 'utf8')}@${hostname()}:${resolve(dataDir)}`;
}
