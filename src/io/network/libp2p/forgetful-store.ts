import type { PeerId, PeerStore } from '@libp2p/interface';

/**
 * Makes libp2p's peer store keep nothing of peers that are not connected. libp2p writes down what it has just learnt of a peer
 * whenever that is done, also when the peer has gone meanwhile or was never reached; nothing would ever take that away again.
 *
 * @returns forgets a peer that has just disconnected
 */
export function keepOnlyConnected(
  store: PeerStore,
  isConnected: (peerId: PeerId) => boolean,
): (peerId: PeerId) => Promise<void> {
  const forget = async (peerId: PeerId) => {
    if (!isConnected(peerId)) await store.delete(peerId);
  };
  for (const way of ['save', 'patch', 'merge'] as const) {
    const write = store[way].bind(store);
    store[way] = async (peerId, data, options) => {
      const peer = await write(peerId, data, options);
      await forget(peerId);
      return peer;
    };
  }
  return forget;
}
