import { randomBytes } from 'node:crypto';
import { open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

type Chunks = AsyncIterable<string | Uint8Array>;

/**
 * Writes a file that appears whole or not at all: a hidden one beside it is written and synced, and then takes its name. Something else
 * than a file, such as a pipe or `/dev/null`, is written as it is.
 * @throws the file system's errors, and what the chunks fail with; an earlier file is then as it was.
 */
export async function writeWhole(path: string, chunks: Chunks): Promise<void> {
  const found = await existing(path);
  if (found !== null && !found.isFile()) return writeInPlace(path, chunks);
  // Behind a symbolic link is the file that is meant.
  const target = found === null ? path : await realpath(path);
  const hidden = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`);
  const handle = await open(hidden, 'wx', found === null ? 0o666 : found.mode & 0o777);
  try {
    try {
      await handle.writeFile(chunks);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(hidden, target);
  } catch (error) {
    await unlink(hidden);
    throw error;
  }
  await syncFolder(dirname(target));
}

async function existing(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function writeInPlace(path: string, chunks: Chunks): Promise<void> {
  await using handle = await open(path, 'w');
  await handle.writeFile(chunks);
}

async function syncFolder(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}
