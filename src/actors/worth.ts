import { isInFlight, type PeerState } from './peer.ts';
import type { Rank } from './peer-queue.ts';

/** Which peers a full registry can do without. */

/** Who was observed within this time stays, whatever comes. */
export const KEEP_OBSERVED_MS = 7 * 24 * 3_600_000;

/**
 * Of how little worth a record is: those never observed come first, among them those that have failed most often and were
 * heard of longest ago; then those observed longest ago. `null` for one that may not go: it is in flight, or its last
 * visit did not fail. If one that waits for its turn could go, a flood of made-up peers would take the turns of all.
 */
export function dispensability(peer: PeerState): Rank | null {
  if (isInFlight(peer)) return null;
  if (peer.failures === 0 && peer.addresses.length > 0) return null;
  return [peer.lastObservedEpoch, -peer.failures, peer.lastAliveMs];
}
