import {
  asyncScheduler,
  catchError,
  EMPTY,
  exhaustMap,
  ignoreElements,
  interval,
  mergeWith,
  NEVER,
  type Observable,
  Subject,
  Subscription,
} from 'rxjs';
import { newPeer, type PeerState } from '../actors/peer.ts';
import { type CrowdLimits, mayContact } from '../consensus/address-policy.ts';
import { networkClock } from '../consensus/clock.ts';
import type { Status } from '../consensus/containers.ts';
import { eventIds } from '../consensus/event-id.ts';
import { createFinalityView } from '../consensus/finality.ts';
import { acceptedDigests, type Network } from '../consensus/network.ts';
import { coversPeer, type OptOut } from '../consensus/opt-out.ts';
import { dial } from '../streams/dial.ts';
import { discovery } from '../streams/discovery.ts';
import { epochTick } from '../streams/epoch-tick.ts';
import { createDepth, type Depth } from '../streams/flow/merge-bounded.ts';
import { retryForever } from '../streams/flow/retry-forever.ts';
import { gossipProbe } from '../streams/gossip-probe.ts';
import { handshake } from '../streams/handshake.ts';
import type { EventLog } from '../streams/ports/event-log.ts';
import { type Happening, type SentryLimits, type SentryStages, type SentryStats, sentry } from '../streams/sentry.ts';
import { startDiscv5 } from './discv5.ts';
import { useNativeEnrCrypto } from './enr-crypto.ts';
import { freeUdpPort } from './free-port.ts';
import { loadIdentity } from './identity.ts';
import { type Host, startHost } from './libp2p/host.ts';
import type { Logger } from './logger.ts';
import { bindToNetwork } from './network-binding.ts';
import { advanceRecord, OWN_METADATA, type OwnEndpoint, ownRecord } from './own-record.ts';
import { sqlitePeerStore } from './peer-store.ts';
import type { SqliteDatabase } from './sqlite.ts';

export interface SentryProgramOptions {
  readonly network: Network;
  readonly dataDir: string;
  /** `sentry.sqlite`, where known peers are kept. Stays open: its owner closes it. */
  readonly database: SqliteDatabase;
  /** Where events go; durable before anything else happens to them. */
  readonly log: Pick<EventLog, 'append'>;
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
  /** How long subscriptions are watched at most; a third of a slot if not given. */
  readonly dwellMs?: number | undefined;
  readonly logger: Logger;
  /** Stages to use in place of the usual ones. */
  readonly experiment?: (usual: SentryStages) => SentryStages;
}

export interface StageDepths {
  readonly discovery: Depth;
  readonly dial: Depth;
  readonly handshake: Depth;
  readonly gossipProbe: Depth;
}

export interface SentryProgram {
  /** Hot: the pipeline runs until `stop`. */
  readonly happenings$: Observable<Happening>;
  /** Errors when the crawl has stopped by itself, which only a mistake in the program can cause. */
  readonly failed$: Observable<never>;
  readonly depths: StageDepths;
  readonly peerId: string;
  /** Our record as it is now: it follows the forks. */
  readonly enr: string;
  readonly addresses: readonly string[];
  stats(): SentryStats;
  /** Ends the crawl, hangs up, and writes what is known about the peers to disk. */
  stop(): Promise<void>;
}

const LIMITS = {
  visits: 256,
  inboundVisits: 64,
  crawlers: 64,
  heard: 1_024,
  peers: 100_000,
  visitMs: 60_000,
  entriesPerPlace: { perIp: 64, perPrefix: 512 },
  askedPerPlace: { perIp: 64, perPrefix: 1_024 },
  dialsPerPlace: { perIp: 4, perPrefix: 16 },
} as const satisfies SentryLimits;
const TIMEOUT_MS = { dial: 10_000, request: 10_000, hello: 5_000, discovery: 30_000 } as const;
const RECORD = { batchMs: 20, batchSize: 500, scheduler: asyncScheduler };
const CRAWL_EVERY_EPOCHS = 4;
const SAVE_PEERS_MS = 2_000;
/** A visit needs one connection, an inbound one another. */
const MAX_CONNECTIONS = 2 * (LIMITS.visits + LIMITS.inboundVisits);

/** The gossip picture is watched for a third of a slot at most: long enough to be whole, too short to blur two slots. */
const DWELL_SLOTS = 1 / 3;
const MIN_DWELL_MS = 150;
const MAX_DWELL_MS = 4_000;
const SETTLE_PART = 1 / 4;

export function defaultDwellMs({ slotMs }: Pick<Network, 'slotMs'>): number {
  return Math.min(Math.max(slotMs * DWELL_SLOTS, MIN_DWELL_MS), MAX_DWELL_MS);
}

/** TCP and, one port above where discv5 and TCP are, QUIC. */
function listenAddresses(ip: string, port: number): string[] {
  const host = `/ip${ip.includes(':') ? 6 : 4}/${ip}`;
  return [`${host}/tcp/${port}`, `${host}/udp/${port === 0 ? 0 : port + 1}/quic-v1`];
}

/** Every node of a devnet computes on this machine: more at a time would only make them late. */
const LOOPBACK = { visits: 32, crawlers: 4 } as const;

/** On loopback all nodes are neighbours, which there says nothing of them. */
function limitsFor({ isPublic }: Network): SentryLimits {
  const wide = (limits: CrowdLimits): CrowdLimits => ({ perIp: limits.perIp, perPrefix: Number.POSITIVE_INFINITY });
  if (isPublic) return LIMITS;
  return {
    ...LIMITS,
    ...LOOPBACK,
    entriesPerPlace: wide(LIMITS.entriesPerPlace),
    askedPerPlace: wide(LIMITS.askedPerPlace),
    dialsPerPlace: wide({ perIp: LOOPBACK.visits, perPrefix: 0 }),
  };
}

/** Builds the crawler from its parts and starts it. */
export async function startSentry(options: SentryProgramOptions): Promise<SentryProgram> {
  const { network, dataDir, database, logger, listenIp, listenIp6, port } = options;
  useNativeEnrCrypto();
  const clock = networkClock(network);
  const epochNow = () => clock.epochAt(Date.now());
  const digestsNow = () => acceptedDigests(network, epochNow());
  const finality = createFinalityView(network, clock);
  const ownStatus = () => finality.ownStatus(Date.now());
  const heardStatus = (peerId: string, status: Status) => finality.heard(peerId, status, Date.now());
  const privateKey = await loadIdentity(dataDir);
  const peers = sqlitePeerStore(database);
  const sameNetwork = await bindToNetwork(database, network);
  const known = await peers.load();
  const declined = new Set(known.filter((peer) => coversPeer(options.optOut, peer)).map(({ peerId }) => peerId));
  if (declined.size > 0) await peers.save([], [...declined]);
  const restored = known
    .filter(({ peerId }) => !declined.has(peerId))
    .map((peer) => (sameNetwork ? peer : strangerAgain(peer)));

  const host = await startHost({
    privateKey,
    listen: [listenIp, listenIp6].flatMap((ip) => (ip === undefined ? [] : listenAddresses(ip, port))),
    agent: options.agent,
    maxConnections: MAX_CONNECTIONS,
    ownStatus,
    ownMetaData: () => OWN_METADATA,
    onStatus: heardStatus,
    logger,
  });
  const udpPort = port === 0 ? await freeUdpPort(listenIp) : port;
  const endpoint: OwnEndpoint = {
    ip: network.isPublic ? null : listenIp,
    udpPort,
    tcpPort: portOf(host, /^\/ip[46].*\/tcp\/(\d+)/) ?? port,
    quicPort: portOf(host, /^\/ip[46].*\/udp\/(\d+)\/quic-v1/),
    ...(listenIp6 === undefined
      ? {}
      : {
          tcp6Port: portOf(host, /^\/ip6.*\/tcp\/(\d+)/),
          quic6Port: portOf(host, /^\/ip6.*\/udp\/(\d+)\/quic-v1/),
        }),
  };
  const discv5 = await startDiscv5({
    privateKey,
    record: ownRecord(privateKey, network, epochNow(), Date.now(), endpoint),
    bindIp: listenIp,
    bindIp6: listenIp6,
    udpPort,
    bootnodes: network.bootnodes.filter((enr) => !coversPeer(options.optOut, { peerId: '', enr, addresses: [] })),
    logger,
  });

  const depths = {
    discovery: createDepth(),
    dial: createDepth(),
    handshake: createDepth(),
    gossipProbe: createDepth(),
  };
  const visits = {
    concurrency: LIMITS.visits,
    maxWaiting: LIMITS.visits + LIMITS.inboundVisits,
    scheduler: asyncScheduler,
  };
  const dwellMs = options.dwellMs ?? defaultDwellMs(network);
  const usual: SentryStages = {
    epochTick: epochTick(clock, asyncScheduler),
    discovery: discovery(discv5, {
      concurrency: LIMITS.crawlers,
      maxWaiting: LIMITS.crawlers,
      timeoutMs: TIMEOUT_MS.discovery,
      scheduler: asyncScheduler,
      depth: depths.discovery,
    }),
    dial: dial(host, { ...visits, timeoutMs: TIMEOUT_MS.dial, depth: depths.dial }),
    handshake: handshake({
      ...visits,
      timeoutMs: TIMEOUT_MS.request,
      ownStatus,
      acceptedDigests: digestsNow,
      onStatus: heardStatus,
      findRecord: discv5.find,
      mayContact: (ip) => mayContact(network, ip),
      currentSlot: () => clock.slotAt(Date.now()),
      depth: depths.handshake,
    }),
    gossipProbe: gossipProbe({
      ...visits,
      timeoutMs: TIMEOUT_MS.hello,
      settleMs: dwellMs * SETTLE_PART,
      dwellMs,
      acceptedDigests: digestsNow,
      depth: depths.gossipProbe,
    }),
  };

  const crawler = sentry(
    options.experiment?.(usual) ?? usual,
    { inbound$: host.inbound$, heard$: discv5.heard$, log: options.log },
    {
      network,
      source: {
        clock,
        crawlerId: options.crawlerId,
        crawlerLocation: options.crawlerLocation,
        nextEventId: eventIds(),
      },
      limits: limitsFor(network),
      optOut: options.optOut,
      record: RECORD,
      crawlEveryEpochs: CRAWL_EVERY_EPOCHS,
      ownPeerId: host.peerId,
      restored,
      scheduler: asyncScheduler,
    },
  );

  async function savePeers(): Promise<void> {
    const changes = crawler.registry.takeChanges();
    try {
      await peers.save(changes.changed, changes.forgotten);
    } catch (error) {
      crawler.registry.returnChanges(changes);
      throw error;
    }
  }

  const happenings = new Subject<Happening>();
  const running = new Subscription();
  running.add(
    happenings.subscribe({
      next: (happening) => {
        if (happening.type === 'epoch') advanceRecord(discv5.record, network, happening.epoch);
      },
      error: (error: unknown) => logger.debug({ err: error }, 'our record is not kept current any more'),
    }),
  );
  running.add(crawler.happenings$.subscribe(happenings));
  running.add(
    interval(SAVE_PEERS_MS)
      .pipe(
        exhaustMap(savePeers),
        retryForever({
          minDelayMs: SAVE_PEERS_MS,
          maxDelayMs: 30 * SAVE_PEERS_MS,
          scheduler: asyncScheduler,
          onFailure: ({ error }) => logger.error({ err: error }, 'known peers could not be saved'),
        }),
      )
      .subscribe(),
  );

  return {
    happenings$: happenings.pipe(catchError(() => EMPTY)),
    failed$: happenings.pipe(ignoreElements(), mergeWith(NEVER)),
    depths,
    peerId: host.peerId,
    get enr() {
      return discv5.record.encodeTxt();
    },
    addresses: host.addresses,
    stats: crawler.stats,
    stop: async () => {
      running.unsubscribe();
      happenings.complete();
      await Promise.all([host.stop(), discv5.stop()]);
      await savePeers();
    },
  };
}

/** A peer of another network's clock: only who and where it is still means something. */
function strangerAgain(peer: PeerState): PeerState {
  return { ...newPeer(peer.peerId, peer.firstSeenMs), addresses: peer.addresses };
}

/** The port of the first of the host's addresses that the pattern captures one of. */
function portOf({ addresses }: Host, pattern: RegExp): number | undefined {
  const port = addresses.map((address) => pattern.exec(address)?.[1]).find((found) => found !== undefined);
  return port === undefined ? undefined : Number(port);
}
