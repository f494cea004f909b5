import { LRUCache } from 'lru-cache';

/** How long a connection that brings nothing new is held before it is let go: each time longer for who dials again and again. */
export interface Patience {
  holdMs(peerId: string, nowMs: number): number;
}

/**
 * By then a peer has asked for our Status and has had its answer, over any round trip; and Lighthouse, which dials again 27 times a
 * minute whom it loses at once, does so ten times a minute (measured).
 */
export const ANSWERED_MS = 3_000;
const LONGEST_MS = 60_000;
/** Who has not come for so long is new. */
const FORGET_MS = 600_000;
const MAX_PEERS = 10_000;

interface Comings {
  readonly count: number;
  readonly lastMs: number;
}

export function createPatience(): Patience {
  const comings = new LRUCache<string, Comings>({ max: MAX_PEERS });
  return {
    holdMs(peerId, nowMs) {
      const before = comings.get(peerId);
      const count = before === undefined || nowMs - before.lastMs > FORGET_MS ? 0 : before.count + 1;
      comings.set(peerId, { count, lastMs: nowMs });
      return Math.min(LONGEST_MS, ANSWERED_MS * 2 ** Math.min(count, 10));
    },
  };
}
