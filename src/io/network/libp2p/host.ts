import type { GossipSub } from '@chainsafe/libp2p-gossipsub';
import type { Identify } from '@libp2p/identify';
import type { Connection, Libp2p, PeerId } from '@libp2p/interface';
import type { Observable } from 'rxjs';
import { ReplaySubject, Subject } from 'rxjs';
import type { MetaData, Status } from '../../../consensus/containers.ts';
import { fromAbortable } from '../../../streams/flow/from-abortable.ts';
import { type Dialer, GOODBYE, type PeerLink } from '../../../streams/ports/peer-link.ts';
import type { Logger } from '../../logging/logger.ts';
import { serve } from '../reqresp/server.ts';
import { createDialing } from './dialing.ts';
import { connectionEndings } from './endings.ts';
import { createLink } from './link.ts';
import { type NodeOptions, startNode } from './node.ts';
import { createSubscriptionBook, type SubscriptionBook } from './subscription-book.ts';

export interface HostOptions extends NodeOptions {
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
  const { logger } = options;
  const book = createSubscriptionBook(Date.now);
  const endings = connectionEndings();
  const inbound = new Subject<PeerLink>();
  const node = await startNode(options);
  const identify = node.services.identify as Identify;
  const pubsub = node.services.pubsub as GossipSub;

  const linkOf = (connection: Connection) => {
    const subscriptions$ = book.of(connection.remotePeer.toString());
    return createLink(connection, { identify, subscriptions$, closed$: endings.of(connection), logger });
  };
  const abandon = (connection: Connection) => linkOf(connection).hangUp(GOODBYE.clientShutdown);
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
  await serve(node, {
    ownStatus: options.ownStatus,
    ownMetaData: options.ownMetaData,
    onStatus: ({ remotePeer }, status) => options.onStatus?.(remotePeer.toString(), status),
    onGoodbye: endings.saidGoodbye,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    logger,
  });

  return {
    peerId: node.peerId.toString(),
    addresses: node.getMultiaddrs().map((address) => address.toString()),
    inbound$: inbound,
    failed$: listening.lost$,
    hangUpAll: () => node.getConnections().forEach(abandon),
    dial: ({ peerId, addresses }) => fromAbortable((signal) => dialing.connect({ peerId, addresses }, signal)),
    held: () => heldBy(node, pubsub, book),
    stop: async () => {
      listening.stop();
      inbound.complete();
      await node.stop();
    },
  };
}

function hearSubscriptions(pubsub: GossipSub, book: SubscriptionBook): void {
  pubsub.addEventListener('subscription-change', ({ detail: { peerId, subscriptions } }) => {
    book.heard(peerId.toString(), subscriptions);
    forgetTopics(pubsub);
  });
}

/**
 * gossipsub remembers every topic that anybody ever named, and would grow with the inventions of strangers. Nothing here
 * needs its memory.
 */
function forgetTopics(pubsub: GossipSub): void {
  const { topics } = pubsub as unknown as { readonly topics: Map<string, unknown> };
  topics.clear();
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
