import { type Observable, of, Subject } from 'rxjs';
import { networkClock } from '../../consensus/clock.ts';
import { type ClockCheck, createClockCheck } from '../../consensus/clock-check.ts';
import type { ForkSource } from '../../consensus/forks/learning.ts';
import { createMannersLedger } from '../../consensus/manners/ledger.ts';
import { createOwnStatus } from '../../consensus/manners/own-status.ts';
import type { Network } from '../../consensus/network.ts';
import type { OptOut } from '../../consensus/opt-out.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { useNativeEnrCrypto } from '../../io/network/discv5/enr-crypto.ts';
import { loadIdentity } from '../../io/network/own/identity.ts';
import { sqliteForkStore } from '../../io/storage/sentry/fork-store.ts';
import type { SqliteDatabase } from '../../io/storage/sqlite/sqlite.ts';
import type { EventLog } from '../../streams/ports/event-log.ts';
import type { Happening, SentryStages, SentryStats } from '../../streams/sentry.ts';
import { createVisitTally } from '../../streams/visit-tally.ts';
import type { Restarts } from '../keep-running.ts';
import { once, type Part, partOf } from '../part.ts';
import { program } from '../program.ts';
import { startCrawlPart } from './crawl-part.ts';
import { startDiscoveryPart } from './discovery-part.ts';
import { foreignNetwork } from './foreign-network.ts';
import { startForkWatch } from './fork-watch.ts';
import { startHostPart } from './host-part.ts';
import { agentsOf, loadKnownPeers, notSaved, startSaving } from './known-peers.ts';
import { defaultDwellMs } from './limits.ts';
import type { StageDepths } from './pipeline.ts';
import { refusedByMany } from './refusals.ts';
import { sentryMetrics } from './sentry-metrics.ts';

export interface SentryProgramOptions {
  readonly network: Network;
  readonly dataDir: string;
  /** `sentry.sqlite`, where known peers are kept. Stays open: its owner closes it. */
  readonly database: SqliteDatabase;
  /** Where events go; durable before anything else happens to them. */
  readonly log: Pick<EventLog, 'append'>;
  /** Whether the log has room; while it has not, the crawl pauses. Always, if not given. */
  readonly isOpen$?: Observable<boolean>;
  readonly crawlerId: string;
  readonly crawlerLocation: string;
  /** Where discv5 and libp2p listen. */
  readonly listenIp: string;
  /** An IPv6 address to listen on besides. */
  readonly listenIp6?: string | undefined;
  /** UDP and TCP port; 0 picks free ones. */
  readonly port: number;
  readonly agent: string;
  /** Who asked to be left alone. */
  readonly optOut: OptOut;
  /** Whether forks are followed that nodes announce and the network's configuration does not know; they are, if not given. */
  readonly forks?: ForkSource | undefined;
  /** How long subscriptions are watched at most; a third of a slot if not given. */
  readonly dwellMs?: number | undefined;
  readonly logger: Logger;
  /** Stages to use in place of the usual ones. */
  readonly experiment?: (usual: SentryStages) => SentryStages;
}

export interface SentryProgram extends Part {
  /** Hot: the pipeline runs until `stop`. */
  readonly happenings$: Observable<Happening>;
  readonly depths: StageDepths;
  readonly peerId: string;
  /** Our record as it is now: it follows the forks. */
  readonly enr: string;
  readonly addresses: readonly string[];
  stats(): SentryStats;
  /** What is started again when it fails. */
  readonly parts: readonly Restarts[];
  /** Parts that have failed and are started again; empty when all is well. */
  problems(): string[];
  /** Ends the crawl, hangs up, and writes what is known about the peers to disk. */
  stop(): Promise<void>;
}

/** Builds the crawler from its parts, starts them, and starts those again that fail, each by itself. */
export async function startSentry(options: SentryProgramOptions): Promise<SentryProgram> {
  useNativeEnrCrypto();
  const happenings = new Subject<Happening>();
  await using stack = new AsyncDisposableStack();
  const clockCheck = createClockCheck(networkClock(options.network), options.network);
  const { parts, vitals, failed$ } = await (await sentryParts(options, happenings, clockCheck)).start(stack);
  const started = stack.move();
  const { host, discovery, crawl } = parts;
  const { peerId, addresses } = host.last;
  const kept = [host, discovery.kept, crawl];
  const problems = () => kept.map((part) => part.problem()).filter((problem) => problem !== null);
  const stats = () => crawl.last.stats();
  return {
    ...partOf('the sentry', {
      failed$,
      checks: [
        { name: 'parts of the sentry', reason: async () => problems().join('; ') || null },
        { name: 'clock', reason: async () => clockCheck.reason(Date.now()) },
        { name: 'network', reason: async () => foreignNetwork(stats().lastRound, options.network) },
        { name: 'refusals', reason: async () => refusedByMany(crawl.last.registry.records()) },
      ],
      metrics: [...vitals.metrics(), ...sentryMetrics({ stats, depths: () => crawl.last.depths })],
    }),
    happenings$: happenings.asObservable(),
    get depths() {
      return crawl.last.depths;
    },
    peerId,
    get enr() {
      return discovery.enr();
    },
    addresses,
    stats,
    parts: kept,
    problems,
    stop: once(async () => {
      await started.disposeAsync();
      happenings.complete();
    }),
  };
}

async function sentryParts(options: SentryProgramOptions, happenings: Subject<Happening>, clockCheck: ClockCheck) {
  const { dataDir, database, logger, listenIp, listenIp6, port, optOut, agent, forks: follow = 'learnt' } = options;
  const clock = networkClock(options.network);
  const store = sqliteForkStore(database, options.network);
  const forks = await startForkWatch({ network: options.network, clock, follow, store, logger });
  const { network } = forks;
  const ownStatus = createOwnStatus(network, clock);
  const ledger = createMannersLedger({ startedMs: Date.now(), pace: paceOf(network) });
  const privateKey = await loadIdentity(dataDir);
  const { restored, store: peers } = await loadKnownPeers(database, network, optOut);
  const ips = [listenIp, listenIp6].filter((ip) => ip !== undefined);
  return program()
    .with('forks', async () => forks)
    .with('host', () =>
      startHostPart({ privateKey, ips, port, agent, ownStatus, ledger, agentOf: agentsOf(restored), logger }),
    )
    .with('discovery', ({ host }) => {
      const { addresses } = host.last;
      return startDiscoveryPart({ network, clock, privateKey, listenIp, listenIp6, port, addresses, optOut, logger });
    })
    .with('crawl', ({ host, discovery }) =>
      startCrawlPart({
        ...options,
        network,
        clock,
        ownStatus,
        clockCheck,
        host,
        discovery: forks.hearing(discovery.discovery, host.last.peerId),
        hasRoom$: options.isOpen$ ?? of(true),
        peerId: host.last.peerId,
        tally: createVisitTally(),
        dwellMs: options.dwellMs ?? defaultDwellMs(network),
        restored,
        store: peers,
        experiment: options.experiment,
        onHappening(happening) {
          if (happening.type === 'epoch') {
            forks.advanceTo(happening.epoch);
            discovery.advanceTo(happening.epoch);
          }
          happenings.next(happening);
        },
      }),
    )
    .with('saving', async ({ crawl }) =>
      startSaving({ store: peers, registry: () => crawl.current?.registry ?? null, onFailure: notSaved(logger) }),
    );
}

/** Below this no client is real: a devnet's nodes, which then have epochs of less than their quotas, shorten those alike. */
const SHORTEST_REAL_SLOT_MS = 250;

function paceOf({ slotMs }: Network): number {
  return Math.max(1, SHORTEST_REAL_SLOT_MS / slotMs);
}
