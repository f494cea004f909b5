import { stat } from 'node:fs/promises';
import type { Logger } from '../logging/logger.ts';
import { GeoError, reasonOf } from './geo-error.ts';

/** What a file holds, read again when the file has changed. */
export interface ChangingFile<T> {
  readonly content: T;
  /** Looks at the file and takes its new content; names what `content` is now. */
  version(): Promise<string>;
}

/**
 * Reads the file. Later, a change that cannot be read (it is being written, or was taken away) leaves the content as it
 * was and is told once.
 * @throws GeoError when it cannot be read now.
 */
export async function openChangingFile<T>(
  path: string,
  read: (path: string) => Promise<T>,
  logger: Logger,
): Promise<ChangingFile<T>> {
  let fingerprint: string;
  let content: T;
  let refused = '';
  try {
    fingerprint = await fingerprintOf(path);
    content = await read(path);
  } catch (error) {
    throw new GeoError(`${path} cannot be used for geolocation (${reasonOf(error)}); check the file`);
  }

  const refresh = async (): Promise<string> => {
    let found = 'gone';
    try {
      found = await fingerprintOf(path);
      if (found !== fingerprint && found !== refused) {
        content = await read(path);
        fingerprint = found;
        logger.info({ path }, 'read a geolocation file that has changed');
      }
    } catch (error) {
      if (found !== refused)
        logger.warn({ path, reason: reasonOf(error) }, 'keeping what a geolocation file held before');
      refused = found;
    }
    return fingerprint;
  };

  let refreshing: Promise<string> | undefined;
  return {
    get content() {
      return content;
    },
    version: () => {
      refreshing ??= refresh().finally(() => {
        refreshing = undefined;
      });
      return refreshing;
    },
  };
}

async function fingerprintOf(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  return `${size}.${Math.round(mtimeMs)}`;
}
