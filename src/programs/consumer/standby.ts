import { resolve } from 'node:path';
import { defer, filter, firstValueFrom, fromEvent, map, race, repeat, take, timer } from 'rxjs';
import { healthOnly } from '../../io/http/health.ts';
import { HttpListenError, type HttpServer, startHttp } from '../../io/http/server.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { FolderInUseError } from '../../io/storage/files/folder-lock.ts';
import { type Folder, takeFolder } from '../folder.ts';
import type { HttpPlace } from '../serving.ts';

export interface StandbyOptions {
  readonly dataDir: string;
  /** Where health is served meanwhile. */
  readonly http: HttpPlace;
  /** Ends the waiting. */
  readonly ending: AbortSignal;
  readonly logger: Logger;
}

export interface StandbyFolder extends Folder {
  /** Whether another consumer had the folder before. */
  readonly stoodBy: boolean;
}

/** Another consumer that ends, however it ends, is replaced within this time. */
const TRY_EVERY_MS = 500;

/**
 * Takes the data folder for a consumer. While another one has it this one stands by: it serves health if its port is
 * free, which it is not when both are told the same one, and takes over as soon as the other ends.
 * @throws the reason of `ending` when it is aborted meanwhile
 */
export async function standByForFolder({ dataDir, http, ending, logger }: StandbyOptions): Promise<StandbyFolder> {
  const first = await tryToTake(dataDir);
  if (!(first instanceof FolderInUseError)) return { ...first, stoodBy: false };
  const reason = `standing by: another consumer works in ${resolve(dataDir)}`;
  logger.info({ reason: first.message }, reason);
  const health = await serveHealth(http, reason, logger);
  try {
    const taken$ = defer(() => tryToTake(dataDir)).pipe(
      repeat({ delay: () => timer(TRY_EVERY_MS) }),
      filter((outcome): outcome is Folder => !(outcome instanceof FolderInUseError)),
      take(1),
    );
    const aborted$ = fromEvent(ending, 'abort').pipe(
      map((): never => {
        throw ending.reason;
      }),
    );
    ending.throwIfAborted();
    const folder = await firstValueFrom(race(taken$, aborted$));
    logger.info('the other consumer has ended; taking over');
    return { ...folder, stoodBy: true };
  } finally {
    await health?.close();
  }
}

/** The folder, or why it is not to be had now. */
async function tryToTake(dataDir: string): Promise<Folder | FolderInUseError> {
  try {
    return await takeFolder(dataDir, ['consumer']);
  } catch (error) {
    if (error instanceof FolderInUseError) return error;
    throw error;
  }
}

async function serveHealth({ host, port }: HttpPlace, reason: string, logger: Logger): Promise<HttpServer | null> {
  const { fetch } = healthOnly({ checks: () => [{ name: 'standing by', reason: async () => reason }] });
  try {
    const server = await startHttp({ host, port, fetch });
    logger.info({ url: server.url }, 'serving health while standing by');
    return server;
  } catch (error) {
    if (!(error instanceof HttpListenError) || error.code !== 'EADDRINUSE') throw error;
    logger.info({ host, port }, 'the HTTP port is in use, perhaps by the other; it is taken when that has ended');
    return null;
  }
}
