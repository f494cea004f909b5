import { type Status, ZERO_ROOT } from '../containers.ts';

/** A block that several peers have. */
export interface Head {
  readonly headRoot: string;
  readonly headSlot: number;
}

/** Which blocks peers say are their heads. */
export interface AgreedHeads {
  heard(peerId: string, status: Status): void;
  /** The newest that three peers have told and that had two slots to spread; `null` when there is none. */
  best(currentSlot: number): Head | null;
}

const AGREEING_PEERS = 3;
const SPREAD_SLOTS = 2;
/** Heads remembered: an epoch of them and a few forks. */
const MAX_HEADS = 64;

export function agreedHeads(): AgreedHeads {
  /** Who has told of a head, by its root and slot, in the order in which heads were first told. */
  const tellers = new Map<string, { readonly head: Head; readonly peers: Set<string> }>();

  return {
    heard(peerId, { headRoot, headSlot }) {
      if (headRoot === ZERO_ROOT) return;
      const key = `${headSlot}/${headRoot}`;
      const told = tellers.get(key) ?? { head: { headRoot, headSlot }, peers: new Set<string>() };
      if (told.peers.size < AGREEING_PEERS) told.peers.add(peerId);
      tellers.set(key, told);
      if (tellers.size <= MAX_HEADS) return;
      const [oldest] = tellers.keys();
      if (oldest !== undefined) tellers.delete(oldest);
    },
    best(currentSlot) {
      const agreed = [...tellers.values()].filter(
        ({ head, peers }) => peers.size >= AGREEING_PEERS && head.headSlot <= currentSlot - SPREAD_SLOTS,
      );
      return agreed.reduce<Head | null>(
        (best, { head }) => (best === null || head.headSlot > best.headSlot ? head : best),
        null,
      );
    },
  };
}
