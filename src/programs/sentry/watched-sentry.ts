import { filter, map, type Observable, type Subscription } from 'rxjs';
import type { Network } from '../../consensus/network.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { clockText } from '../../io/logging/texts.ts';
import { hasIp6 } from '../../io/network/own/listening.ts';
import type { SentryStats } from '../../streams/sentry.ts';
import type { EventPath } from '../event-path/event-path.ts';
import type { Folder } from '../folder.ts';
import type { ChosenNetwork } from '../network/open-network.ts';
import { once, type Part, partOf } from '../part.ts';
import { listenError } from './listen-error.ts';
import type { StageDepths } from './pipeline.ts';
import { type SentryProgram, type SentryProgramOptions, startSentry } from './start-sentry.ts';

/** The crawler where a network is: it listens where that asks for, and says how far it is. */
export interface WatchedSentry extends Part {
  readonly sentry: SentryProgram;
  progress(): CrawlProgress;
}

export interface CrawlProgress {
  readonly stats: SentryStats;
  readonly depths: StageDepths;
  /** How many of a devnet's nodes have been observed since the start; `null` where nobody knows the truth. */
  readonly devnet: { readonly observed: number; readonly nodes: number } | null;
}

export interface WatchedSentryOptions
  extends Pick<
    SentryProgramOptions,
    'crawlerId' | 'crawlerLocation' | 'agent' | 'optOut' | 'dwellMs' | 'forks' | 'experiment' | 'logger'
  > {
  readonly folder: Pick<Folder, 'path'>;
  /** Where its nodes are known, it is told how many of them have been observed. */
  readonly network: Pick<ChosenNetwork, 'network' | 'truth'>;
  readonly events: Pick<EventPath, 'database' | 'log' | 'isOpen$'>;
  /** What fits the network if not given. */
  readonly listenIp: string | undefined;
  readonly port: number | undefined;
}

const LISTEN_PORT = 9_000;
/** No observation for so long, and something is wrong: with the network, or with us. */
const QUIET_EPOCHS = 2;

/** @throws Error with the remedy when an address or a port cannot be had */
export async function startWatchedSentry({
  folder,
  network: { network, truth },
  events: { database, log, isOpen$ },
  ...options
}: WatchedSentryOptions): Promise<WatchedSentry> {
  const { logger } = options;
  const listenIp = options.listenIp ?? (network.isPublic ? '0.0.0.0' : '127.0.0.1');
  const listenIp6 = options.listenIp === undefined && network.isPublic && hasIp6() ? '::' : undefined;
  const port = options.port ?? (network.isPublic ? LISTEN_PORT : 0);
  const listening = { listenIp, listenIp6, port };
  const recording = { dataDir: folder.path, database, log, isOpen$ };
  const sentry = await startSentry({ ...options, ...listening, ...recording, network }).catch((error: unknown) => {
    throw listenError(error, listenIp, port) ?? error;
  });
  const addresses = sentry.addresses.map((address) => address.replace(/\/p2p\/.*$/, ''));
  logger.info({ network: network.name, peerId: sentry.peerId, listening: addresses, enr: sentry.enr }, 'crawling');

  const observed$ = sentry.happenings$.pipe(
    filter((happening) => happening.type === 'observed'),
    map(({ observation }) => observation.peerId),
  );
  const watch = watchObserved(observed$, truth?.map((node) => node.peer_id) ?? null, logger);
  return {
    ...partOf(sentry.name, {
      failed$: sentry.failed$,
      checks: [
        ...sentry.checks,
        { name: 'observations', reason: async () => quiet(network, Date.now() - watch.lastObservedMs()) },
      ],
      metrics: sentry.metrics,
      stop: once(async () => {
        watch.watching.unsubscribe();
        await sentry.stop();
      }),
    }),
    sentry,
    progress: () => ({ stats: sentry.stats(), depths: sentry.depths, devnet: watch.devnet() }),
  };
}

interface ObservedWatch {
  readonly watching: Subscription;
  lastObservedMs(): number;
  devnet(): CrawlProgress['devnet'];
}

function watchObserved(
  observed$: Observable<string>,
  peerIds: readonly string[] | null,
  logger: Logger,
): ObservedWatch {
  const startedMs = Date.now();
  const strangers = new Set(peerIds);
  const nodes = strangers.size;
  let lastObservedMs = startedMs;
  const watching = observed$.subscribe((peerId) => {
    lastObservedMs = Date.now();
    if (!strangers.delete(peerId) || strangers.size > 0) return;
    logger.info({ afterMs: lastObservedMs - startedMs }, `${nodes} of ${nodes} devnet nodes observed`);
  });
  return {
    watching,
    lastObservedMs: () => lastObservedMs,
    devnet: () => (peerIds === null ? null : { observed: nodes - strangers.size, nodes }),
  };
}

function quiet({ slotMs, slotsPerEpoch }: Network, sinceMs: number): string | null {
  if (sinceMs <= QUIET_EPOCHS * slotMs * slotsPerEpoch) return null;
  return `no peer has been observed for ${clockText(sinceMs)}, more than ${QUIET_EPOCHS} epochs; look at the failures`;
}
