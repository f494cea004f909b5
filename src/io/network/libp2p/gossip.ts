import { gossipsub } from '@chainsafe/libp2p-gossipsub';

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
    scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0 },
    scoreThresholds: { gossipThreshold: -1e9, publishThreshold: -2e9, graylistThreshold: -3e9 },
  });
}
