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
import { end } from './end.ts';
import { connectionEndings, type Endings } from './endings.ts';
import { keepOnlyConnected } from './forgetful-store.ts';
import { gossipOnlyWith, hearSubscriptions } from './gossip.ts';
import { type KnownClients, knownClients } from './known-clients.ts';
import { createLink, departWithin, type LinkContext } from './link.ts';
import { createNode, type NodeOptions } from './node.ts';
import { createPartings, type Partings } from './partings.ts';
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
  /** Leaves everybody at once, whoever uses a connection; resolves when all have ended, within about two seconds. */
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
const LEAVE_ALL_MS = 2_000;

/** Starts the libp2p side of the crawler: dials, listens, serves, and hears subscriptions. */
export async function startHost(options: HostOptions): Promise<Host> {
  const { logger, scheduler = asyncScheduler, agentOf = () => null } = options;
  const book = createSubscriptionBook(Date.now);
  const endings = connectionEndings();
  const partings = createPartings(scheduler.now.bind(scheduler));
  const claims = createClaims();
  const clients = knownClients(agentOf);
  const inbound = new Subject<PeerLink>();
  const told = new Subject<Told>();
  let isStopping = false;
  const node = await createNode(options);
  const pubsub = node.services.pubsub as GossipSub;
  const identify = node.services.identify as Identify;

  const contextOf = (connection: Connection): LinkContext => ({
    ...{ identify, book, clients, claims, ledger: options.ledger, logger, scheduler },
    closed$: endings.of(connection),
    told$: toldBy(connection.remotePeer, told),
  });
  const linkOf = (connection: Connection) => createLink(connection, contextOf(connection));
  const abandon = (connection: Connection) => linkOf(connection).leave('given-up');
  const dialing = createDialing({
    ...{ node, linkOf, abandon, scheduler },
    ...{ isGivenUp: claims.isGivenUp, closedOf: endings.of, pauseMs: partings.pauseMs },
  });

  function settle(connection: Connection): void {
    if (isStopping) end(connection);
    else if (connection.direction === 'inbound' && inbound.observed) inbound.next(linkOf(connection));
    else if (connection.direction === 'inbound' || !dialing.isAwaited(connection.remotePeer.toString()))
      abandon(connection);
  }
  hearSubscriptions(pubsub, book);
  watchConnections(node, { book, endings, partings, settle, forget: forgetting(node, pubsub, logger) });
  const listening = watchListening(node);
  const onTold = (said: Told) => told.next(said);
  await serveAs(node, options, { clients, scheduler, onGoodbye: endings.saidGoodbye, onTold });
  await node.start();

  async function leaveAll(): Promise<void> {
    const connections = node.getConnections();
    await Promise.all(connections.map((each) => departWithin(LEAVE_ALL_MS, each, contextOf(each))));
  }

  return {
    peerId: node.peerId.toString(),
    addresses: node.getMultiaddrs().map((address) => address.toString()),
    inbound$: inbound,
    failed$: listening.lost$,
    leaveAll,
    dial: (target) => fromAbortable((signal) => dialing.connect(target, signal)),
    held: () => heldBy(node, pubsub, book),
    stop: async () => {
      isStopping = true;
      listening.stop();
      inbound.complete();
      await leaveAll();
      // libp2p closes what is left stream by stream.
      for (const connection of node.getConnections()) end(connection);
      await node.stop();
    },
  };
}

interface Watching {
  readonly book: SubscriptionBook;
  readonly endings: Endings;
  readonly partings: Pick<Partings, 'ended'>;
  /** Decides whose a connection is that has just opened. */
  readonly settle: (connection: Connection) => void;
  readonly forget: (peerId: PeerId) => void;
}

function watchConnections(node: Libp2p, { book, endings, partings, settle, forget }: Watching): void {
  node.addEventListener('connection:open', ({ detail: connection }) => {
    book.open(connection.remotePeer.toString());
    endings.opened(connection);
    settle(connection);
  });
  node.addEventListener('connection:close', ({ detail: connection }) => {
    endings.closed(connection);
    partings.ended(connection.remotePeer.toString());
  });
  node.addEventListener('peer:disconnect', ({ detail: peerId }) => {
    book.close(peerId.toString());
    forget(peerId);
  });
}

interface Told {
  readonly peerId: string;
  readonly status: Status;
}

function toldBy(remotePeer: PeerId, told: Observable<Told>): Observable<Status> {
  const teller = remotePeer.toString();
  return told.pipe(
    filter(({ peerId }) => peerId === teller),
    map(({ status }) => status),
  );
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

/** Makes libp2p keep nothing of peers that are not connected; to be told of each that disconnects. */
function forgetting(node: Libp2p, pubsub: GossipSub, logger: Logger): (peerId: PeerId) => void {
  const isConnected = (peerId: PeerId) => peerId.equals(node.peerId) || node.getConnections(peerId).length > 0;
  const forgetInStore = keepOnlyConnected(node.peerStore, isConnected);
  const forgetInGossip = gossipOnlyWith(pubsub, isConnected);
  return (peerId) => {
    forgetInGossip(peerId);
    forgetInStore(peerId).catch((error: unknown) =>
      logger.trace({ err: error }, 'an entry of the peer store was not deleted'),
    );
  };
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
