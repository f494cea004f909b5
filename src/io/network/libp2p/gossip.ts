import { type GossipSub, gossipsub } from '@chainsafe/libp2p-gossipsub';
import type { PeerId } from '@libp2p/interface';
import type { SubscriptionBook } from './subscription-book.ts';

/** A gossip RPC larger than this closes its stream: subscriptions are all we listen to. */
const MAX_GOSSIP_RPC_BYTES = 1024 * 1024;
/** An RPC with more subscriptions than these is not read at all; what is too much below that is counted and named. */
const MAX_SUBSCRIPTIONS = 16_384;

/** Gossipsub that joins nothing, scores nobody, and only hears what others are subscribed to. */
export function listeningGossip() {
  return gossipsub({
    doPX: false,
    emitSelf: false,
    maxInboundDataLength: MAX_GOSSIP_RPC_BYTES,
    decodeRpcLimits: {
      maxSubscriptions: MAX_SUBSCRIPTIONS,
      maxMessages: 64,
      maxIhaveMessageIDs: 64,
      maxIwantMessageIDs: 64,
      maxIdontwantMessageIDs: 64,
      maxControlMessages: 64,
      maxPeerInfos: 16,
    },
    // Peers behind one address are one address, not an attack.
    // Of those who have gone nothing is kept.
    scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0, retainScore: 0 },
    scoreThresholds: { gossipThreshold: -1e9, publishThreshold: -2e9, graylistThreshold: -3e9 },
  });
}

/**
 * Hears what gossip RPCs say of topics, also the empty one that a go-libp2p node without any topic sends for its hello. gossipsub
 * itself is told nothing of them: it would remember every topic that anybody ever named, and all else is for members of a mesh.
 */
export function hearSubscriptions(pubsub: GossipSub, book: Pick<SubscriptionBook, 'heard'>): void {
  pubsub.handleReceivedRpc = async (from, { subscriptions }) => {
    const changes = subscriptions.flatMap(({ topic, subscribe }) =>
      topic === undefined ? [] : [{ topic, subscribe: subscribe === true }],
    );
    book.heard(from.toString(), changes);
  };
}

/** What gossipsub does not show of how it takes peers on. */
interface Membership {
  addPeer(peerId: PeerId, ...rest: readonly unknown[]): void;
  removePeer(peerId: PeerId): void;
}

/**
 * Keeps gossipsub from taking on, for ever, a peer that has gone while its stream was agreed on.
 *
 * @returns forgets a peer that has just disconnected
 */
export function gossipOnlyWith(pubsub: GossipSub, isConnected: (peerId: PeerId) => boolean): (peerId: PeerId) => void {
  const membership = pubsub as unknown as Membership;
  const add = membership.addPeer.bind(pubsub);
  membership.addPeer = (peerId, ...rest) => {
    if (isConnected(peerId)) add(peerId, ...rest);
  };
  return (peerId) => {
    if (!isConnected(peerId)) membership.removePeer(peerId);
  };
}
