import {
  asyncScheduler,
  combineLatest,
  distinctUntilChanged,
  exhaustMap,
  interval,
  map,
  merge,
  type Observable,
  of,
  Subject,
} from 'rxjs';
import { newPeer, type PeerState } from '../../actors/peer.ts';
import type { Registry } from '../../actors/registry.ts';
import { networkClock } from '../../consensus/clock.ts';
import { createFinalityView } from '../../consensus/finality.ts';
import type { Network } from '../../consensus/network.ts';
import { coversPeer, type OptOut } from '../../consensus/opt-out.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { startDiscv5 } from '../../io/network/discv5/discv5.ts';
import { useNativeEnrCrypto } from '../../io/network/discv5/enr-crypto.ts';
import { type Host, startHost } from '../../io/network/libp2p/host.ts';
import { freeUdpPort } from '../../io/network/own/free-port.ts';
import { loadIdentity } from '../../io/network/own/identity.ts';
import { listenAddresses, quicPort, quicPortFor, tcpPort } from '../../io/network/own/listening.ts';
import { advanceRecord, OWN_METADATA, type OwnEndpoint, ownRecord } from '../../io/network/own/own-record.ts';
import { bindToNetwork } from '../../io/storage/sentry/network-binding.ts';
import { sqlitePeerStore } from '../../io/storage/sentry/peer-store.ts';
import type { SqliteDatabase } from '../../io/storage/sqlite/sqlite.ts';
import { retryForever } from '../../streams/flow/retry-forever.ts';
import type { EventLog } from '../../streams/ports/event-log.ts';
import type { Happening, SentryStages, SentryStats } from '../../streams/sentry.ts';
import { createVisitTally } from '../../streams/visit-tally.ts';
import { type KeptPart, keepRunning } from '../keep-running.ts';
import { defaultDwellMs, MAX_CONNECTIONS, type StageDepths, startPipeline } from './pipeline.ts';
import { isUp, steadyDialer, steadyDiscovery } from './steady.ts';

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
  /** How long subscriptions are watched at most; a third of a slot if not given. */
  readonly dwellMs?: number | undefined;
  readonly logger: Logger;
  /** Stages to use in place of the usual ones. */
  readonly experiment?: (usual: SentryStages) => SentryStages;
}

export interface SentryProgram {
  /** Hot: the pipeline runs until `stop`. */
  readonly happenings$: Observable<Happening>;
  /** Errors when a part has failed for good: the libp2p host, discovery or the crawl itself. */
  readonly failed$: Observable<never>;
  readonly depths: StageDepths;
  readonly peerId: string;
  /** Our record as it is now: it follows the forks. */
  readonly enr: string;
  readonly addresses: readonly string[];
  stats(): SentryStats;
  /** What is started again when it fails. */
  readonly parts: readonly KeptPart[];
  /** Parts that have failed and are started again; empty when all is well. */
  problems(): string[];
  /** Ends the crawl, hangs up, and writes what is known about the peers to disk. */
  stop(): Promise<void>;
}

const SAVE_PEERS_MS = 2_000;

/** Builds the crawler from its parts, starts them, and starts those again that fail, each by itself. */
export async function startSentry(options: SentryProgramOptions): Promise<SentryProgram> {
  const { network, dataDir, database, logger, listenIp, listenIp6, port } = options;
  useNativeEnrCrypto();
  const clock = networkClock(network);
  const finality = createFinalityView(network, clock);
  const privateKey = await loadIdentity(dataDir);
  const peers = sqlitePeerStore(database);
  const sameNetwork = await bindToNetwork(database, network);
  const known = await peers.load();
  const declined = new Set(known.filter((peer) => coversPeer(options.optOut, peer)).map(({ peerId }) => peerId));
  if (declined.size > 0) await peers.save([], [...declined]);
  let restored = known
    .filter(({ peerId }) => !declined.has(peerId))
    .map((peer) => (sameNetwork ? peer : strangerAgain(peer)));

  await using started = new AsyncDisposableStack();
  const ips = [listenIp, listenIp6].filter((ip) => ip !== undefined);
  // Where it was is where peers look for it again.
  let listen = ips.flatMap((ip) => listenAddresses(ip, port, quicPortFor(port)));
  const host = await keepRunning('the libp2p host', startHostAgain, { logger });
  started.defer(() => host.stop());

  async function startHostAgain(): Promise<Host> {
    const running = await startHost({
      privateKey,
      listen,
      agent: options.agent,
      maxConnections: MAX_CONNECTIONS,
      ownStatus: () => finality.ownStatus(Date.now()),
      ownMetaData: () => OWN_METADATA,
      onStatus: (peerId, status) => finality.heard(peerId, status, Date.now()),
      logger,
    });
    listen = ips.flatMap((ip) =>
      listenAddresses(ip, tcpPort(running.addresses, ip) ?? port, quicPort(running.addresses, ip) ?? 0),
    );
    return running;
  }

  const { peerId, addresses } = host.last;
  const udpPort = port === 0 ? await freeUdpPort(listenIp) : port;
  const endpoint: OwnEndpoint = {
    ip: network.isPublic ? null : listenIp,
    udpPort,
    tcpPort: tcpPort(addresses, listenIp) ?? port,
    quicPort: quicPort(addresses, listenIp),
    ...(listenIp6 === undefined
      ? {}
      : { tcp6Port: tcpPort(addresses, listenIp6), quic6Port: quicPort(addresses, listenIp6) }),
  };
  const record = ownRecord(privateKey, network, clock.epochAt(Date.now()), Date.now(), endpoint);
  const bootnodes = network.bootnodes.filter((enr) => !coversPeer(options.optOut, { peerId: '', enr, addresses: [] }));
  const startDiscovery = () =>
    startDiscv5({ privateKey, record, bindIp: listenIp, bindIp6: listenIp6, udpPort, bootnodes, logger });
  const discovery = await keepRunning('discovery', startDiscovery, { logger });
  started.defer(() => discovery.stop());

  const happenings = new Subject<Happening>();
  const isOpen$ = combineLatest([options.isOpen$ ?? of(true), isUp(host)]).pipe(
    map((open) => open.every(Boolean)),
    distinctUntilChanged(),
  );
  const tally = createVisitTally();
  const crawl = await keepRunning('the crawl', startCrawl, { logger });
  started.defer(() => crawl.stop());

  async function startCrawl() {
    const pipeline = startPipeline({
      ...options,
      clock,
      finality,
      discovery: steadyDiscovery(discovery),
      dialer: steadyDialer(host),
      peerId,
      tally,
      isOpen$,
      dwellMs: options.dwellMs ?? defaultDwellMs(network),
      restored,
      experiment: options.experiment,
      onHappening(happening) {
        if (happening.type === 'epoch') advanceRecord(record, network, happening.epoch);
        happenings.next(happening);
      },
    });
    return {
      ...pipeline,
      async stop() {
        await pipeline.stop();
        tellGivenUp(pipeline.unrecorded());
        host.current?.hangUpAll();
        restored = [...pipeline.registry.records()];
        await savePeers(pipeline.registry).catch(notSaved);
      },
    };
  }

  function tellGivenUp(events: number): void {
    if (events === 0) return;
    logger.warn(
      { events },
      'the log takes nothing, so what was observed last is given up; those peers are visited again',
    );
  }

  async function savePeers(registry: Registry): Promise<void> {
    const changes = registry.takeChanges();
    try {
      await peers.save(changes.changed, changes.forgotten);
    } catch (error) {
      registry.returnChanges(changes);
      throw error;
    }
  }

  function notSaved(error: unknown): void {
    logger.error({ err: error }, 'known peers could not be saved');
  }

  const saving = interval(SAVE_PEERS_MS)
    .pipe(
      exhaustMap(async () => {
        if (crawl.current !== null) await savePeers(crawl.current.registry);
      }),
      retryForever({
        minDelayMs: SAVE_PEERS_MS,
        maxDelayMs: 30 * SAVE_PEERS_MS,
        scheduler: asyncScheduler,
        onFailure: ({ error }) => notSaved(error),
      }),
    )
    .subscribe();
  started.defer(() => saving.unsubscribe());

  const parts = [host, discovery, crawl];
  const running = started.move();
  return {
    happenings$: happenings.asObservable(),
    failed$: merge(host.failed$, discovery.failed$, crawl.failed$),
    parts,
    problems: () => parts.map((part) => part.problem()).filter((problem) => problem !== null),
    get depths() {
      return crawl.last.depths;
    },
    peerId,
    get enr() {
      return record.encodeTxt();
    },
    addresses,
    stats: () => crawl.last.stats(),
    stop: async () => {
      await running.disposeAsync();
      happenings.complete();
    },
  };
}

/** A peer of another network's clock: only who and where it is still means something. */
function strangerAgain(peer: PeerState): PeerState {
  return { ...newPeer(peer.peerId, peer.firstSeenMs), addresses: peer.addresses };
}
