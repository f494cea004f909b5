import type { GossipSub } from '@chainsafe/libp2p-gossipsub';
import { quic } from '@chainsafe/libp2p-quic';
import { yamux } from '@chainsafe/libp2p-yamux';
import { type Identify, identify } from '@libp2p/identify';
import type { Connection, PeerId, PrivateKey } from '@libp2p/interface';
import { mplex } from '@libp2p/mplex';
import { tcp } from '@libp2p/tcp';
import { createLibp2p } from 'libp2p';
import { type Observable, ReplaySubject, Subject } from 'rxjs';
import type { MetaData, Status } from '../../../consensus/containers.ts';
import { type Failure, failure } from '../../../consensus/failure.ts';
import { fromAbortable } from '../../../streams/flow/from-abortable.ts';
import { type Dialer, GOODBYE, type PeerLink } from '../../../streams/ports/peer-link.ts';
import type { Logger } from '../../logging/logger.ts';
import { serve } from '../reqresp/server.ts';
import { createDialing } from './dialing.ts';
import { causeOfGoodbye } from './failure-of.ts';
import { listeningGossip } from './gossip.ts';
import { createLink } from './link.ts';
import { tellingNoise } from './security.ts';
import { createSubscriptionBook } from './subscription-book.ts';

export interface HostOptions {
  readonly privateKey: PrivateKey;
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[];
  /** What identify tells peers of us. */
  readonly agent: string;
  readonly maxConnections: number;
  readonly ownStatus: () => Status;
  readonly ownMetaData: () => MetaData;
  /** Told of each Status that a peer sends us with its question for ours. */
  readonly onStatus?: (peerId: string, status: Status) => void;
  readonly logger: Logger;
}

export interface Host extends Dialer {
  readonly peerId: string;
  /** Where it listens, with the ports that were chosen. */
  readonly addresses: readonly string[];
  /** Errors when it no longer listens somewhere; never completes. */
  readonly failed$: Observable<never>;
  /** Says goodbye to everybody. */
  hangUpAll(): void;
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

/** Starts the libp2p side of the crawler: dials, listens, serves, and hears subscriptions. */
export async function startHost(options: HostOptions): Promise<Host> {
  const { logger, privateKey } = options;
  const book = createSubscriptionBook(Date.now);
  // Keyed by the connection, so that they end with it whichever events libp2p reports of it.
  const goodbyes = new WeakMap<Connection, bigint>();
  const closings = new WeakMap<Connection, ReplaySubject<Failure>>();
  const inbound = new Subject<PeerLink>();
  const lost = new ReplaySubject<never>(1);
  let stopping = false;

  const node = await createLibp2p({
    privateKey,
    addresses: { listen: [...options.listen] },
    // QUIC goes through native code; TCP is what every node has.
    transports: [quic(), tcp()],
    connectionEncrypters: [tellingNoise()],
    streamMuxers: [yamux(), mplex()],
    nodeInfo: { userAgent: options.agent },
    connectionManager: {
      maxConnections: options.maxConnections,
      maxParallelDials: options.maxConnections,
      inboundConnectionThreshold: INBOUND_PER_ADDRESS_PER_SECOND,
      maxIncomingPendingConnections: options.maxConnections,
      reconnectRetries: 0,
    },
    connectionMonitor: { enabled: false },
    services: {
      // Identified by the handshake stage, so that its outcome is known and its time is bounded.
      identify: identify({ runOnConnectionOpen: false, maxMessageSize: 16 * 1024 }),
      pubsub: listeningGossip(),
    },
  });
  const identifyService = node.services.identify as Identify;
  const pubsub = node.services.pubsub as GossipSub;
  const dialing = createDialing({ node, linkOf, abandon, forget });

  pubsub.addEventListener('subscription-change', ({ detail: { peerId, subscriptions } }) => {
    book.heard(peerId.toString(), subscriptions);
    forgetTopics(pubsub);
  });
  node.addEventListener('connection:open', ({ detail: connection }) => {
    const peerId = connection.remotePeer.toString();
    book.open(peerId);
    closings.set(connection, new ReplaySubject<Failure>(1));
    if (connection.direction === 'inbound') inbound.next(linkOf(connection));
    else if (!dialing.isAwaited(peerId)) abandon(connection);
  });
  node.addEventListener('connection:close', ({ detail: connection }) => {
    const reason = goodbyes.get(connection);
    closings
      .get(connection)
      ?.next(
        reason === undefined
          ? failure('identify', 'eof', 'closed by the peer')
          : failure('identify', causeOfGoodbye(reason), `goodbye ${reason}`),
      );
  });
  node.addEventListener('transport:close', ({ detail: listener }) => {
    if (!stopping)
      lost.error(new Error(`no longer listening on ${listener.getAddrs().join(', ') || 'one of its addresses'}`));
  });
  node.addEventListener('peer:disconnect', ({ detail: peerId }) => {
    book.close(peerId.toString());
    forget(peerId);
  });

  await serve(node, {
    ownStatus: options.ownStatus,
    ownMetaData: options.ownMetaData,
    onStatus: ({ remotePeer }, status) => options.onStatus?.(remotePeer.toString(), status),
    onGoodbye: (connection, reason) => goodbyes.set(connection, reason),
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    logger,
  });

  /** The peerstore would remember every peer that was ever dialled, connected or not. */
  function forget(peerId: PeerId): void {
    if (node.getConnections(peerId).length > 0) return;
    node.peerStore
      .delete(peerId)
      .catch((error: unknown) => logger.trace({ err: error }, 'peerstore entry was not deleted'));
  }

  function linkOf(connection: Connection): PeerLink {
    const closed = closings.get(connection) ?? closedAlready();
    return createLink(connection, {
      identify: identifyService,
      subscriptions$: book.of(connection.remotePeer.toString()),
      closed$: closed,
      logger,
    });
  }

  function abandon(connection: Connection): void {
    linkOf(connection).hangUp(GOODBYE.clientShutdown);
  }

  return {
    peerId: node.peerId.toString(),
    addresses: node.getMultiaddrs().map((address) => address.toString()),
    inbound$: inbound,
    failed$: lost.asObservable(),
    hangUpAll: () => node.getConnections().forEach(abandon),
    dial: ({ peerId, addresses }) => fromAbortable((signal) => dialing.connect({ peerId, addresses }, signal)),
    held: async () => ({
      connections: node.getConnections().length,
      gossipPeers: pubsub.getPeers().length,
      subscriptionPages: book.size,
      storedPeers: (await node.peerStore.all()).filter(({ id }) => !id.equals(node.peerId)).length,
    }),
    stop: async () => {
      stopping = true;
      inbound.complete();
      await node.stop();
    },
  };
}

/** js-libp2p closes faster redials from one address by default; a NAT may hide many nodes. */
const INBOUND_PER_ADDRESS_PER_SECOND = 50;

/**
 * gossipsub remembers every topic that anybody ever named, and would grow with the inventions of strangers. Nothing here
 * needs its memory.
 */
function forgetTopics(pubsub: GossipSub): void {
  const { topics } = pubsub as unknown as { readonly topics: Map<string, unknown> };
  topics.clear();
}

function closedAlready(): ReplaySubject<Failure> {
  const closed = new ReplaySubject<Failure>(1);
  closed.next(failure('identify', 'eof', 'closed before it was looked at'));
  return closed;
}
