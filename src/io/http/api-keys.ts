import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** Whether a text is one of the API keys. Rejects when the keys cannot be read. */
export type IsApiKey = (candidate: string) => Promise<boolean>;

/**
 * Keys from a file: one a line; blank lines and lines that start with `#` are ignored. A missing file holds no keys. The
 * file is read whenever a key is presented, so that a change, above all a removal, takes effect at once.
 */
export function apiKeysFrom(path: string): IsApiKey {
  return async (candidate) => {
    const wanted = digest(candidate);
    let found = false;
    // All keys are compared, as hashes of equal length: the time taken says nothing about any of them.
    for (const key of keysIn(await readKeys(path))) found = timingSafeEqual(digest(key), wanted) || found;
    return found;
  };
}

async function readKeys(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function keysIn(text: string): string[] {
  return text
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
