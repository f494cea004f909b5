/**
 * Nodes whose truth is known, watched once an epoch: what a crawler would have seen of them. Written from the specification and the
 * clients' conduct alone; shares no code with the estimators, which are judged by it.
 */

export interface Look {
  /** Slot since genesis at which the node was looked at. */
  readonly slot: number;
  /** Attestation subnets it was subscribed to, the long-lived ones included. */
  readonly subscribed: ReadonlySet<number>;
}

export interface WatchedNode {
  readonly client: ClientName;
  readonly validators: number;
  readonly longLived: ReadonlySet<number>;
  readonly custodyGroupCount: number;
  readonly looks: readonly Look[];
}

export const CLIENT_NAMES = ['Lighthouse', 'Grandine', 'Lodestar', 'Nimbus', 'Prysm', 'Teku'] as const;
export type ClientName = (typeof CLIENT_NAMES)[number];

const SLOTS = 32;

/** First slot in which the subscription for a duty is there; it goes after the duty's slot. */
const JOINS_AT: Readonly<Record<ClientName, (dutySlot: number) => number>> = {
  Lighthouse: (duty) => duty - 1,
  Grandine: (duty) => duty - 1,
  Lodestar: (duty) => duty - 2,
  Nimbus: (duty) => duty - 3,
  // At the start of the duty's epoch; for the epoch's first slot one epoch earlier.
  Prysm: (duty) => (Math.ceil(duty / SLOTS) - 1) * SLOTS,
  // At the start of the epoch before the duty's.
  Teku: (duty) => (Math.floor(duty / SLOTS) - 1) * SLOTS,
};

export type Random = () => number;

/** mulberry32: small, seeded, good enough for drawing. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface WatchOptions {
  readonly client: ClientName;
  readonly validators: number;
  readonly activeValidators: number;
  readonly epochs: number;
  readonly random: Random;
}

/** Draws duties for every epoch and looks at the node once in each, in a slot of its own. */
export function watchNode({ client, validators, activeValidators, epochs, random }: WatchOptions): WatchedNode {
  const committees = Math.min(64, Math.max(1, Math.floor(activeValidators / SLOTS / 128)));
  const committeeSize = Math.floor(activeValidators / SLOTS / committees);
  const aggregates = 1 / Math.max(1, Math.floor(committeeSize / 16));

  const joined = new Map<number, { readonly from: number; readonly subnet: number }[]>();
  for (let epoch = 0; epoch < epochs + 2; epoch++) {
    for (let index = successes(validators, aggregates, random); index > 0; index--) {
      const slot = epoch * SLOTS + Math.floor(random() * SLOTS);
      const subnet = (committees * (slot % SLOTS) + Math.floor(random() * committees)) % 64;
      const duties = joined.get(slot) ?? [];
      duties.push({ from: JOINS_AT[client](slot), subnet });
      joined.set(slot, duties);
    }
  }

  const backbone = Math.floor(random() * 64);
  const longLived = new Set([backbone, (backbone + 1) % 64]);
  const looks: Look[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const slot = epoch * SLOTS + Math.floor(random() * SLOTS);
    const subscribed = new Set(longLived);
    for (let duty = slot; duty < slot + 2 * SLOTS; duty++) {
      for (const { from, subnet } of joined.get(duty) ?? []) if (from <= slot) subscribed.add(subnet);
    }
    looks.push({ slot, subscribed });
  }
  const custodyGroupCount = validators === 0 ? 4 : Math.min(128, Math.max(8, validators));
  return { client, validators, longLived, custodyGroupCount, looks };
}

/** Binomial draw by jumping from success to success. */
function successes(trials: number, probability: number, random: Random): number {
  if (probability >= 1) return trials;
  let count = 0;
  for (let at = jump(probability, random); at < trials; at += 1 + jump(probability, random)) count++;
  return count;
}

function jump(probability: number, random: Random): number {
  return Math.floor(Math.log(1 - random()) / Math.log(1 - probability));
}
