import type { NetworkClock } from './clock.ts';
import { type Status, ZERO_ROOT } from './containers.ts';

/** Which checkpoint the network has finalized, as far as peers agree on it. */
export interface FinalityView {
  /** Takes in a peer's Status; of each peer the last one counts. */
  heard(peerId: string, status: Status, nowMs: number): void;
  /** The newest that several peers agree on. Never what a single peer claimed, never anything ahead of the clock. */
  agreed(nowMs: number): Checkpoint | null;
}

export interface Checkpoint {
  readonly epoch: number;
  readonly root: string;
}

/** So many peers must agree on a checkpoint. */
export const AGREEING_PEERS = 3;
/** Finality trails the clock by two epochs when all is well; a younger checkpoint cannot be true. */
const FINALITY_LAG_EPOCHS = 2;
/** Peers remembered; enough to outvote a few liars, and a bound. */
const MAX_PEERS = 512;

export function createFinalityView(clock: NetworkClock): FinalityView {
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
    agreed,
  };
}
