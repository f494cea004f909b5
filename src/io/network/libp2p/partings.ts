import { LRUCache } from 'lru-cache';

/**
 * How long a peer may take to notice that a connection with it has ended. Who is dialled anew before that has two connections for
 * a moment, and says its gossip hello on the old one alone (rust-libp2p `gossipsub/src/behaviour.rs`, on_connection_established
 * with `other_established`): we would wait for it in vain.
 */
const NOTICE_MS = 1_000;
/** Many more than connections that can end within that time. */
const MAX_PARTINGS = 8_192;

/** With whom a connection has just ended. */
export interface Partings {
  ended(peerId: string): void;
  /** For how many milliseconds the peer should not be dialled anew. */
  pauseMs(peerId: string): number;
}

export function createPartings(now: () => number): Partings {
  const endedMs = new LRUCache<string, number>({ max: MAX_PARTINGS });
  return {
    ended(peerId) {
      endedMs.set(peerId, now());
    },
    pauseMs: (peerId) => Math.max(0, (endedMs.get(peerId) ?? Number.NEGATIVE_INFINITY) + NOTICE_MS - now()),
  };
}
