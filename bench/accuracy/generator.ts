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
const SUBNETS = 64;

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
export function watchNode(options: WatchOptions): WatchedNode {
  const { client, validators, epochs, random } = options;
  const duties = drawDuties(options);
  const backbone = Math.floor(random() * SUBNETS);
  const longLived = new Set([backbone, (backbone + 1) % SUBNETS]);
  const looks: Look[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const slot = epoch * SLOTS + Math.floor(random() * SLOTS);
    const subscribed = new Set(longLived);
    for (let duty = slot; duty < slot + 2 * SLOTS; duty++) {
      if (JOINS_AT[client](duty) <= slot) for (const subnet of duties.get(duty) ?? []) subscribed.add(subnet);
    }
    looks.push({ slot, subscribed });
  }
  return { client, validators, longLived, custodyGroupCount: custodyGroups(client, validators, random), looks };
}

/**
 * The subnets of the node's aggregators, by slot. Every validator of the network has one place in an epoch's shuffling, so that two
 * never share one; the shuffling is cut into committees as compute_committee does. Who aggregates is drawn before the places: that
 * leaves the same distribution, and is quick.
 */
function drawDuties({ validators, activeValidators, epochs, random }: WatchOptions): Map<number, number[]> {
  const committees = Math.min(64, Math.max(1, Math.floor(activeValidators / SLOTS / 128)));
  const committeeSize = Math.floor(activeValidators / SLOTS / committees);
  const aggregates = 1 / Math.max(1, Math.floor(committeeSize / 16));
  const duties = new Map<number, number[]>();
  for (let epoch = 0; epoch < epochs + 2; epoch++) {
    const aggregators = successes(validators, aggregates, random);
    const places = new Set<number>();
    while (places.size < aggregators) places.add(Math.floor(random() * activeValidators));
    for (const place of places) {
      const committee = Math.floor((place * SLOTS * committees) / activeValidators);
      const slotInEpoch = Math.floor(committee / committees);
      const slot = epoch * SLOTS + slotInEpoch;
      const subnet = (committees * slotInEpoch + (committee % committees)) % SUBNETS;
      const others = duties.get(slot);
      if (others === undefined) duties.set(slot, [subnet]);
      else others.push(subnet);
    }
  }
  return duties;
}

/** 32 ETH a validator. Nimbus knows only of those in its own process, and half of its users run another. */
function custodyGroups(client: ClientName, validators: number, random: Random): number {
  if (validators === 0 || (client === 'Nimbus' && random() < 0.5)) return 4;
  return Math.min(128, Math.max(8, validators));
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
