import { defer, filter, firstValueFrom, fromEvent, map, race, repeat, take, timer } from 'rxjs';
import { DEFAULT_HTTP_PORT } from '../../commands/option-table.ts';
import type { Options } from '../../commands/options.ts';
import { healthOnly } from '../../io/http/health.ts';
import { HttpListenError, type HttpServer, startHttp } from '../../io/http/server.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { FolderInUseError, type FolderLock, lockFolder } from '../../io/storage/files/folder-lock.ts';

export interface StandbyResult {
  readonly lock: FolderLock;
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
export async function lockOrStandBy(
  options: Pick<Options, 'httpHost' | 'httpPort'>,
  dataDir: string,
  ending: AbortSignal,
  logger: Logger,
): Promise<StandbyResult> {
  const first = await tryLock(dataDir);
  if (!(first instanceof FolderInUseError)) return { lock: first, stoodBy: false };
  const reason = `standing by: another consumer works in ${dataDir}`;
  logger.info({ reason: first.message }, reason);
  const health = await serveHealth(options, reason, logger);
  try {
    const locked$ = defer(() => tryLock(dataDir)).pipe(
      repeat({ delay: () => timer(TRY_EVERY_MS) }),
      filter((outcome): outcome is FolderLock => !(outcome instanceof FolderInUseError)),
      take(1),
    );
    const aborted$ = fromEvent(ending, 'abort').pipe(
      map((): never => {
        throw ending.reason;
      }),
    );
    ending.throwIfAborted();
    const lock = await firstValueFrom(race(locked$, aborted$));
    logger.info('the other consumer has ended; taking over');
    return { lock, stoodBy: true };
  } finally {
    await health?.close();
  }
}

/** A lock, or why there is none. */
async function tryLock(dataDir: string): Promise<FolderLock | FolderInUseError> {
  try {
    return await lockFolder(dataDir, 'consumer');
  } catch (error) {
    if (error instanceof FolderInUseError) return error;
    throw error;
  }
}

async function serveHealth(
  { httpHost: host, httpPort: port = DEFAULT_HTTP_PORT }: Pick<Options, 'httpHost' | 'httpPort'>,
  reason: string,
  logger: Logger,
): Promise<HttpServer | null> {
  const { fetch } = healthOnly([async () => reason]);
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
