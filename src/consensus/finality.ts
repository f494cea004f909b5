import type { NetworkClock } from './clock.ts';
import type { Status } from './containers.ts';
import { forkStepAt, type Network } from './network.ts';

/**
 * What we say of our own chain, without having one: zeros at first, then the finalized checkpoint that several peers
 * agree on. Never something that a single peer claimed, never anything ahead of the clock.
 */
export interface FinalityView {
  /** Takes in a peer's Status; of each peer the last one counts. */
  heard(peerId: string, status: Status, nowMs: number): void;
  ownStatus(nowMs: number): Status;
}

/** So many peers must agree on a checkpoint before we repeat it. */
export const AGREEING_PEERS = 3;
/** Finality trails the clock by two epochs when all is well; a younger checkpoint cannot be true. */
const FINALITY_LAG_EPOCHS = 2;
/** Peers remembered; enough to outvote a few liars, and a bound. */
const MAX_PEERS = 512;
const ZERO_ROOT = '00'.repeat(32);

interface Checkpoint {
  readonly epoch: number;
  readonly root: string;
}

export function createFinalityView(network: Network, clock: NetworkClock): FinalityView {
  /** In order of arrival, so that the oldest is the first to go. */
  const claims = new Map<string, Checkpoint>();

  function agreed(nowMs: number): Checkpoint | null {
    const votes = new Map<string, { readonly checkpoint: Checkpoint; peers: number }>();
    for (const checkpoint of claims.values()) {
      const key = `${checkpoint.epoch}/${checkpoint.root}`;
      const vote = votes.get(key) ?? { checkpoint, peers: 0 };
      vote.peers++;
      votes.set(key, vote);
    }
    const youngest = clock.epochAt(nowMs) - FINALITY_LAG_EPOCHS;
    let best: { readonly checkpoint: Checkpoint; readonly peers: number } | null = null;
    for (const vote of votes.values()) {
      if (vote.peers < AGREEING_PEERS || vote.checkpoint.epoch > youngest) continue;
      const newer = best === null || vote.checkpoint.epoch > best.checkpoint.epoch;
      // Of two roots for one epoch the majority has the chain.
      const stronger = best?.checkpoint.epoch === vote.checkpoint.epoch && vote.peers > best.peers;
      if (newer || stronger) best = vote;
    }
    return best?.checkpoint ?? null;
  }

  return {
    heard(peerId, status, nowMs) {
      const epoch = clock.epochAt(nowMs);
      if (status.finalizedRoot === ZERO_ROOT || status.finalizedEpoch > epoch - FINALITY_LAG_EPOCHS) return;
      claims.delete(peerId);
      claims.set(peerId, { epoch: status.finalizedEpoch, root: status.finalizedRoot });
      if (claims.size <= MAX_PEERS) return;
      const [oldest] = claims.keys();
      if (oldest !== undefined) claims.delete(oldest);
    },
    ownStatus(nowMs) {
      const checkpoint = agreed(nowMs);
      const { digest } = forkStepAt(network, clock.epochAt(nowMs));
      if (checkpoint === null) {
        return {
          forkDigest: digest,
          finalizedRoot: ZERO_ROOT,
          finalizedEpoch: 0,
          headRoot: ZERO_ROOT,
          headSlot: 0,
          earliestAvailableSlot: 0,
        };
      }
      const headSlot = checkpoint.epoch * network.slotsPerEpoch;
      return {
        forkDigest: digest,
        finalizedRoot: checkpoint.root,
        finalizedEpoch: checkpoint.epoch,
        // The checkpoint is all we know of the chain, and nothing before it can be had from us.
        headRoot: checkpoint.root,
        headSlot,
        earliestAvailableSlot: headSlot,
      };
    },
  };
}
