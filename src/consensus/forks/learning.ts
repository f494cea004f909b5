import { FORKS } from '../fork-schedule.ts';
import { FAR_FUTURE_EPOCH, type ForkStep, forkStepAt, type Network } from '../network.ts';
import { deriveStep } from './derive.ts';

/** Forks that the configuration does not know, learnt from what the records of many places say. */

/** Whether what is learnt is followed, or only told. */
export const FORK_SOURCES = ['learnt', 'configured'] as const;
export type ForkSource = (typeof FORK_SOURCES)[number];

/** What a node's record says of forks (phase0 ENRForkID, fulu `nfd`). Digests and versions: 4 bytes of hex. */
export interface ForkClaim {
  readonly digest: string;
  readonly nextVersion: string;
  readonly nextEpoch: bigint;
  readonly nextDigest: string | null;
}

export interface ForkNews {
  /** A step that is announced, one that nodes have taken without our knowing, or one that is announced no more. */
  readonly kind: 'announced' | 'taken' | 'withdrawn';
  readonly step: ForkStep;
  /** Places that say so, of so many that are of this network. */
  readonly places: number;
  readonly of: number;
}

export interface ForkLearning {
  /** Takes what the record of a node at this place says; the latest of a place counts. */
  hear(place: string, claim: ForkClaim, epoch: number): void;
  /** Decides, once an epoch. */
  advance(epoch: number): ForkNews | null;
  /** The configured steps and the learnt ones behind them, ascending. */
  steps(): readonly ForkStep[];
  learnt(): readonly ForkStep[];
}

export interface ForkLearningOptions {
  readonly network: Network;
  /** What was learnt before. */
  readonly restored?: readonly ForkStep[];
}

/** More than half of the places of this network must say the same. */
export const QUORUM_SHARE = 1 / 2;
/** Fewer are nobody: whoever answers first after a start must not decide. On a devnet every address is a place. */
export const QUORUM_PLACES = { public: 32, other: 4 } as const;
/** A step that nobody announced is followed when most places still have taken it after so many epochs. */
export const TAKEN_PATIENCE_EPOCHS = 2;
/** What a place said counts for so long: a crawl round hears of everybody every four. */
const CLAIM_EPOCHS = 16;
const MAX_PLACES = 50_000;
/** Two years of mainnet. */
const MAX_AHEAD_EPOCHS = 160_000;

export function createForkLearning({ network, restored = [] }: ForkLearningOptions): ForkLearning {
  const configured = network.forkSteps;
  const lastConfigured = configured.at(-1)?.epoch ?? 0;
  const claims = new Map<string, ForkClaim & { readonly heardEpoch: number }>();
  let learnt = restored.filter((step) => step.epoch > lastConfigured).toSorted((a, b) => a.epoch - b.epoch);
  let waiting: { readonly digest: string; readonly sinceEpoch: number } | null = null;
  const withSteps = (): Network => ({ ...network, forkSteps: [...configured, ...learnt] });

  function take(taken: Tally, epoch: number): ForkNews | null {
    const sinceEpoch: number = waiting?.digest === taken.step.digest ? waiting.sinceEpoch : epoch;
    waiting = { digest: taken.step.digest, sinceEpoch };
    if (epoch - sinceEpoch < TAKEN_PATIENCE_EPOCHS) return null;
    waiting = null;
    // What was expected meanwhile is not what came.
    const step = { ...taken.step, epoch: Math.max(sinceEpoch, lastConfigured + 1) };
    learnt = [...learnt.filter((before) => before.epoch < step.epoch), step];
    return { kind: 'taken', ...taken, step };
  }

  function expect(told: Told, epoch: number): ForkNews | null {
    const passed = learnt.filter((step) => step.epoch <= epoch);
    const expected = learnt.find((step) => step.epoch > epoch);
    if (told.step === null) {
      if (expected === undefined) return null;
      learnt = passed;
      return { kind: 'withdrawn', ...told, step: expected };
    }
    const isKnown = expected?.epoch === told.step.epoch && expected.digest === told.step.digest;
    if (isKnown || told.step.epoch <= lastConfigured) return null;
    learnt = [...passed, told.step];
    return { kind: 'announced', ...told, step: told.step };
  }

  return {
    hear(place, claim, epoch) {
      claims.delete(place);
      claims.set(place, { ...claim, heardEpoch: epoch });
      const [oldest] = claims.keys();
      if (claims.size > MAX_PLACES && oldest !== undefined) claims.delete(oldest);
    },
    advance(epoch) {
      for (const [place, { heardEpoch }] of claims) if (heardEpoch < epoch - CLAIM_EPOCHS) claims.delete(place);
      const heard = [...claims.values()];
      const taken = takenStep(withSteps(), heard, epoch);
      if (taken !== null) return take(taken, epoch);
      waiting = null;
      const told = announcedStep(withSteps(), heard, epoch);
      return told === null ? null : expect(told, epoch);
    },
    steps: () => withSteps().forkSteps,
    learnt: () => learnt,
  };
}

interface Tally {
  readonly step: ForkStep;
  readonly places: number;
  readonly of: number;
}
/** What is announced: a step, or (`null`) that none is to come. */
interface Told extends Omit<Tally, 'step'> {
  readonly step: ForkStep | null;
}

/** Digests that are looked into, lest inventing them keep us busy. */
const DIGESTS_TRIED = 3;
/** Versions that are tried with each, those that most tell. */
const VERSIONS_TRIED = 3;

/**
 * The step that most places have taken without our knowing. Other networks live in the same DHT: a digest counts as one of
 * ours only if it follows from our genesis.
 */
function takenStep(network: Network, claims: readonly ForkClaim[], epoch: number): Tally | null {
  const current = forkStepAt(network, epoch);
  const known = new Set(network.forkSteps.map(({ digest }) => digest));
  const foreign = claims.filter(({ digest }) => !known.has(digest));
  const ours = claims.length - foreign.length;
  const recent = Array.from({ length: CLAIM_EPOCHS + 1 }, (_, ago) => epoch - ago).filter(
    (began) => began > current.epoch,
  );
  for (const [digest, tellers] of largest(foreign, (claim) => claim.digest).slice(0, DIGESTS_TRIED)) {
    const of = ours + tellers.length;
    if (!isQuorum(network, tellers.length, of)) continue;
    const derived = deriveStep(network, current, digest, versionsOf(tellers), recent);
    if (derived !== null) return { step: stepOf(current, derived, digest, epoch), places: tellers.length, of };
  }
  return null;
}

/** What most places of the current fork say is next. */
function announcedStep(network: Network, claims: readonly ForkClaim[], epoch: number): Told | null {
  const current = forkStepAt(network, epoch);
  const ours = claims.filter(({ digest }) => digest === current.digest);
  const nextOf = ({ nextEpoch, nextDigest }: ForkClaim) =>
    nextEpoch === FAR_FUTURE_EPOCH ? 'none' : `${nextEpoch} ${nextDigest}`;
  const [most] = largest(ours, nextOf);
  const [first] = most?.[1] ?? [];
  if (most === undefined || first === undefined) return null;
  const [next, tellers] = most;
  const tally = { places: tellers.length, of: ours.length };
  if (!isQuorum(network, tally.places, tally.of)) return null;
  if (next === 'none') return { step: null, ...tally };
  const { nextEpoch, nextDigest } = first;
  const isAhead = nextEpoch > BigInt(epoch) && nextEpoch <= BigInt(epoch + MAX_AHEAD_EPOCHS);
  if (!isAhead || nextDigest === null || nextDigest === current.digest) return null;
  const derived = deriveStep(network, current, nextDigest, versionsOf(tellers), [Number(nextEpoch)]);
  return derived === null ? null : { step: stepOf(current, derived, nextDigest, Number(nextEpoch)), ...tally };
}

function isQuorum({ isPublic }: Network, places: number, of: number): boolean {
  return places >= (isPublic ? QUORUM_PLACES.public : QUORUM_PLACES.other) && places > QUORUM_SHARE * of;
}

/** Groups, the largest first. */
function largest(claims: readonly ForkClaim[], keyOf: (claim: ForkClaim) => string): [string, ForkClaim[]][] {
  return [...Map.groupBy(claims, keyOf)].sort(([, a], [, b]) => b.length - a.length);
}

function versionsOf(tellers: readonly ForkClaim[]): string[] {
  return largest(tellers, ({ nextVersion }) => nextVersion)
    .slice(0, VERSIONS_TRIED)
    .map(([version]) => version);
}

const FORK_NAMES = ['phase0', ...FORKS.map((fork) => fork.toLowerCase())];

/** A step is named after its fork: the one that follows, unless only the blob parameters change. */
function stepOf(
  current: ForkStep,
  derived: Pick<ForkStep, 'forkVersion' | 'blobs'>,
  digest: string,
  epoch: number,
): ForkStep {
  const place = FORK_NAMES.indexOf(current.name);
  const next = (place === -1 ? undefined : FORK_NAMES[place + 1]) ?? 'unknown';
  const isSameFork = derived.forkVersion === current.forkVersion;
  return { epoch, name: isSameFork ? current.name : next, digest, ...derived };
}
