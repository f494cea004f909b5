import { networkInterfaces } from 'node:os';
import { filter, map, Subscription } from 'rxjs';
import { agentOf } from '../../commands/agent.ts';
import type { ChosenNetwork } from '../../commands/choose-network.ts';
import { readOptOut } from '../../commands/opt-out-file.ts';
import type { Options } from '../../commands/options.ts';
import type { CrawlProgress } from '../../commands/progress.ts';
import { clockText } from '../../commands/texts.ts';
import type { Network } from '../../consensus/network.ts';
import type { Logger } from '../../io/logging/logger.ts';
import type { EventPath } from '../event-path/event-path.ts';
import type { Check } from '../health.ts';
import { type SentryProgram, startSentry } from './sentry.ts';

export interface Crawl {
  readonly sentry: SentryProgram;
  progress(): CrawlProgress;
  /** Whether peers are observed and their events written. */
  readonly checks: readonly Check[];
}

const LISTEN_PORT = 9_000;
/** No observation for so long, and something is wrong: with the network, or with us. */
const QUIET_EPOCHS = 2;

/** Starts the crawler; it stops with the stack. */
export async function startCrawl(
  options: Options,
  { network, truth }: ChosenNetwork,
  { database, gate }: EventPath,
  dataDir: string,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<Crawl> {
  const listenIp = options.listenIp ?? (network.isPublic ? '0.0.0.0' : '127.0.0.1');
  const port = options.port ?? (network.isPublic ? LISTEN_PORT : 0);
  const sentry = await startSentry({
    network,
    dataDir,
    database,
    log: gate.log,
    isOpen$: gate.isOpen$,
    crawlerId: options.crawlerId,
    crawlerLocation: options.crawlerLocation,
    listenIp,
    listenIp6: options.listenIp === undefined && network.isPublic && hasIp6() ? '::' : undefined,
    port,
    agent: agentOf(options),
    optOut: await readOptOut(options.optOut),
    dwellMs: options.dwellMs,
    logger,
  }).catch((error: unknown) => {
    throw listenError(error, listenIp, port) ?? error;
  });
  stack.defer(() => sentry.stop());
  const listening = sentry.addresses.map((address) => address.replace(/\/p2p\/.*$/, ''));
  logger.info({ network: network.name, peerId: sentry.peerId, listening }, 'crawling');

  const startedMs = Date.now();
  const strangers = new Set(truth?.map((node) => node.peer_id));
  const nodes = strangers.size;
  let lastObservedMs = startedMs;
  const watching = new Subscription();
  stack.defer(() => watching.unsubscribe());
  const observed$ = sentry.happenings$.pipe(
    filter((happening) => happening.type === 'observed'),
    map(({ observation }) => observation.peerId),
  );
  watching.add(
    observed$.subscribe((peerId) => {
      lastObservedMs = Date.now();
      if (!strangers.delete(peerId) || strangers.size > 0) return;
      logger.info({ afterMs: lastObservedMs - startedMs }, `${nodes} of ${nodes} devnet nodes observed`);
    }),
  );

  return {
    sentry,
    progress: () => ({
      stats: sentry.stats(),
      depths: sentry.depths,
      devnet: truth === null ? null : { observed: nodes - strangers.size, nodes },
    }),
    checks: [
      gate.check,
      async () => sentry.problems().join('; ') || null,
      async () => quiet(network, Date.now() - lastObservedMs),
    ],
  };
}

/** Whether this machine has an IPv6 address that others can reach. */
function hasIp6(): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap((interfaces) => interfaces ?? []);
  return addresses.some(
    ({ family, internal, address }) => family === 'IPv6' && !internal && !address.startsWith('fe80'),
  );
}

const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'in use; stop the other program or choose another with --port',
  EACCES: 'not allowed; choose one above 1023 with --port',
  EADDRNOTAVAIL: 'this machine has no such address; choose one it has with --listen-ip',
};

/** libp2p tells of a failed socket in many lines; `null` when it was something else. */
function listenError(error: unknown, listenIp: string, port: number): Error | null {
  const code = /\b(EADDRINUSE|EACCES|EADDRNOTAVAIL)\b/.exec(String(error))?.[0];
  if (code === undefined) return null;
  const message = `cannot listen on ${listenIp}, UDP and TCP port ${port}: ${REMEDIES[code]}`;
  return new Error(message, { cause: error });
}

function quiet({ slotMs, slotsPerEpoch }: Network, sinceMs: number): string | null {
  if (sinceMs <= QUIET_EPOCHS * slotMs * slotsPerEpoch) return null;
  return `no peer has been observed for ${clockText(sinceMs)}, more than ${QUIET_EPOCHS} epochs; look at the failures`;
}
