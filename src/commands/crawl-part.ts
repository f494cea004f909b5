import type { Network } from '../consensus/network.ts';
import type { Logger } from '../io/logger.ts';
import { type SentryProgram, startSentry } from '../io/sentry.ts';
import type { EventPath } from './event-path.ts';
import type { Options } from './options.ts';

const LISTEN_PORT = 9_000;

/** Starts the crawler; it stops with the stack. */
export async function startCrawl(
  options: Options,
  network: Network,
  { database, spool }: EventPath,
  dataDir: string,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<SentryProgram> {
  const sentry = await startSentry({
    network,
    dataDir,
    database,
    log: spool,
    crawlerId: options.crawlerId,
    crawlerLocation: options.crawlerLocation,
    listenIp: options.listenIp ?? (network.isPublic ? '0.0.0.0' : '127.0.0.1'),
    port: options.port ?? (network.isPublic ? LISTEN_PORT : 0),
    agent: AGENT,
    logger,
  });
  stack.defer(() => sentry.stop());
  logger.info({ peerId: sentry.peerId, addresses: sentry.addresses, network: network.name }, 'crawling');
  return sentry;
}

const AGENT = 'valtrack/0.1.0';
