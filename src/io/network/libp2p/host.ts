import type { GossipSub } from '@chainsafe/libp2p-gossipsub';
import type { Identify } from '@libp2p/identify';
import type { Connection, Libp2p, PeerId } from '@libp2p/interface';
import type { Observable } from 'rxjs';
import { asyncScheduler, filter, map, ReplaySubject, type SchedulerLike, Subject } from 'rxjs';
import type { Client } from '../../../consensus/client.ts';
import type { MetaData, Status } from '../../../consensus/containers.ts';
import type { MannersLedger } from '../../../consensus/manners/ledger.ts';
import { fromAbortable } from '../../../streams/flow/from-abortable.ts';
import type { Dialer, PeerLink } from '../../../streams/ports/peer-link.ts';
import type { Logger } from '../../logging/logger.ts';
import { type ServerOptions, serve } from '../reqresp/server.ts';
import { createClaims } from './claims.ts';
import { createDialing } from './dialing.ts';
import { connectionEndings } from './endings.ts';
import { type KnownClients, knownClients } from './known-clients.ts';
import { createLink, depart, type LinkContext } from './link.ts';
import { type NodeOptions, startNode } from './node.ts';
import { createSubscriptionBook, type SubscriptionBook } from './subscription-book.ts';

export interface HostOptions extends NodeOptions {
  /** What a peer that has just told its own Status is told; `null` for nothing. */
  readonly ownStatus: (peerId: string, client: Client, nowMs: number) => Status | null;
  readonly ownMetaData: () => MetaData;
  /** Told of each Status that a peer sends us with its question for ours, before it is answered. */
  readonly onStatus?: (peerId: string, status: Status) => void;
  /** What is known of a peer's agent before identify says it; `null` for nothing. */
  readonly agentOf?: (peerId: string) => string | null;
  readonly ledger: MannersLedger;
  readonly scheduler?: SchedulerLike;
  readonly logger: Logger;
}

export interface Host extends Dialer {
  readonly peerId: string;
  /** Where it listens, with the ports that were chosen. */
  readonly addresses: readonly string[];
  /** Errors when it no longer listens somewhere; never completes. */
  readonly failed$: Observable<never>;
  /** Leaves everybody at once; resolves when all connections have ended. */
  leaveAll(): Promise<void>;
  /** What is kept of peers at this moment. Nothing, when none is connected. */
  held(): Promise<HeldByHost>;
  stop(): Promise<void>;
}

export interface HeldByHost {
  readonly connections: number;
  readonly gossipPeers: number;
  readonly subscriptionPages: number;
  readonly storedPeers: number;
}

const REQUEST_TIMEOUT_MS = 10_000;

/** What the end waits for at most: what peers have asked is answered, and a Goodbye is read. */
const LEAVE_ALL_PATIENCE_MS = 500;

/** Starts the libp2p side of the crawler: dials, listens, serves, and hears subscriptions. */
export async function startHost(options: HostOptions): Promise<Host> {
  const { logger, ledger, scheduler = asyncScheduler, agentOf = () => null } = options;
  const book = createSubscriptionBook(Date.now);
  const endings = connectionEndings();
  const claims = createClaims();
  const clients = knownClients(agentOf);
  const inbound = new Subject<PeerLink>();
  const told = new Subject<Told>();
  const node = await startNode(options);
  const identify = node.services.identify as Identify;
  const pubsub = node.services.pubsub as GossipSub;

  const contextOf = (connection: Connection): LinkContext => ({
    identify,
    book,
    closed$: endings.of(connection),
    told$: told.pipe(
      filter(({ peerId }) => peerId === connection.remotePeer.toString()),
      map(({ status }) => status),
    ),
    ledger,
    clients,
    claims,
    logger,
    scheduler,
  });
  const linkOf = (connection: Connection) => createLink(connection, contextOf(connection));
  const abandon = (connection: Connection) => linkOf(connection).leave('given-up');
  const forget = (peerId: PeerId) => forgetUnlessConnected(node, peerId, logger);
  const dialing = createDialing({ node, linkOf, abandon, forget });

  hearSubscriptions(pubsub, book);
  node.addEventListener('connection:open', ({ detail: connection }) => {
    const peerId = connection.remotePeer.toString();
    book.open(peerId);
    endings.opened(connection);
    if (connection.direction === 'inbound') inbound.next(linkOf(connection));
    else if (!dialing.isAwaited(peerId)) abandon(connection);
  });
  node.addEventListener('connection:close', ({ detail: connection }) => endings.closed(connection));
  node.addEventListener('peer:disconnect', ({ detail: peerId }) => {
    book.close(peerId.toString());
    forget(peerId);
  });
  const listening = watchListening(node);
  await serveAs(node, options, {
    clients,
    scheduler,
    onGoodbye: endings.saidGoodbye,
    onTold: (said) => told.next(said),
  });

  async function leaveAll(): Promise<void> {
    const connections = node.getConnections();
    await Promise.all(
      connections.map((connection) =>
        depart(connection, connection.direction === 'outbound', contextOf(connection), LEAVE_ALL_PATIENCE_MS),
      ),
    );
  }

  return {
    peerId: node.peerId.toString(),
    addresses: node.getMultiaddrs().map((address) => address.toString()),
    inbound$: inbound,
    failed$: listening.lost$,
    leaveAll,
    dial: ({ peerId, addresses }) => fromAbortable((signal) => dialing.connect({ peerId, addresses }, signal)),
    held: () => heldBy(node, pubsub, book),
    stop: async () => {
      listening.stop();
      inbound.complete();
      await leaveAll();
      await node.stop();
    },
  };
}

interface Told {
  readonly peerId: string;
  readonly status: Status;
}

interface Serving extends Pick<ServerOptions, 'onGoodbye'> {
  readonly clients: KnownClients;
  readonly scheduler: SchedulerLike;
  readonly onTold: (said: Told) => void;
}

/** Answers what peers ask, each as its client bears it best. */
function serveAs(
  node: Libp2p,
  options: HostOptions,
  { clients, scheduler, onGoodbye, onTold }: Serving,
): Promise<void> {
  const { ownStatus, ownMetaData, onStatus = () => {}, logger } = options;
  return serve(node, {
    ownStatus: (peerId) => ownStatus(peerId, clients.clientOf(peerId), scheduler.now()),
    ownMetaData,
    onStatus({ remotePeer }, status) {
      const peerId = remotePeer.toString();
      onStatus(peerId, status);
      onTold({ peerId, status });
    },
    onGoodbye,
    clientOf: clients.clientOf,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    logger,
  });
}

/**
 * Hears what gossip RPCs say of topics, also the empty one that a go-libp2p node without any topic sends for its hello. gossipsub
 * itself is not told: it would remember every topic that anybody ever named, and grow with the inventions of strangers.
 */
function hearSubscriptions(pubsub: GossipSub, book: SubscriptionBook): void {
  const receive = pubsub.handleReceivedRpc.bind(pubsub);
  pubsub.handleReceivedRpc = (from, rpc) => {
    const changes = rpc.subscriptions.flatMap(({ topic, subscribe }) =>
      topic === undefined ? [] : [{ topic, subscribe: subscribe === true }],
    );
    book.heard(from.toString(), changes);
    return receive(from, { ...rpc, subscriptions: [] });
  };
}

/** The peerstore would remember every peer that was ever dialled, connected or not. */
function forgetUnlessConnected(node: Libp2p, peerId: PeerId, logger: Logger): void {
  if (node.getConnections(peerId).length > 0) return;
  node.peerStore
    .delete(peerId)
    .catch((error: unknown) => logger.trace({ err: error }, 'peerstore entry was not deleted'));
}

/** `lost$` errors when the node no longer listens somewhere, unless it was told to `stop`. */
function watchListening(node: Libp2p): { readonly lost$: Observable<never>; stop(): void } {
  const lost = new ReplaySubject<never>(1);
  let stopping = false;
  node.addEventListener('transport:close', ({ detail: listener }) => {
    if (!stopping)
      lost.error(new Error(`no longer listening on ${listener.getAddrs().join(', ') || 'one of its addresses'}`));
  });
  return {
    lost$: lost.asObservable(),
    stop() {
      stopping = true;
    },
  };
}

async function heldBy(node: Libp2p, pubsub: GossipSub, book: SubscriptionBook): Promise<HeldByHost> {
  return {
    connections: node.getConnections().length,
    gossipPeers: pubsub.getPeers().length,
    subscriptionPages: book.size,
    storedPeers: (await node.peerStore.all()).filter(({ id }) => !id.equals(node.peerId)).length,
  };
}
