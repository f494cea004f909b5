import type { VisibleSlots } from './client-windows.ts';
import type { Exposure } from './exposure.ts';

/**
 * All that the subnet estimator remembers of a peer: sums over its observations, grouped by hazard. The state stays a few hundred
 * bytes however long the peer is watched.
 *
 * Observations lose weight with age. All sums are weighted as of `updatedMs`. They are kept in single precision: that is a ten
 * thousandth of the narrowest interval, and what is stored is bit for bit what was computed.
 */
export interface SubnetStatistics {
  readonly updatedMs: number;
  /** Observations counted, unweighted. */
  readonly observations: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Sums of the weights and of their squares: together they tell how many whole observations the weighted ones are worth. */
  readonly weight: number;
  readonly weightSquared: number;
  /** Weighted share of duty slots that the observation before had already shown. */
  readonly overlap: number;
  readonly lastVisible: VisibleSlots | null;
  readonly bins: readonly HazardBin[];
}

/** Weighted sums over subnets of nearly the same hazard. */
export interface HazardBin {
  readonly index: number;
  readonly subnets: number;
  readonly lit: number;
  /** Sum of the hazards over the subnets; divided by `subnets` it is the mean. */
  readonly hazard: number;
}

/** Bins are a quarter of an octave wide; their mean hazard is kept, so the width costs less than the interval by far. */
const BINS_PER_OCTAVE = 4;
/** The bin that a hazard belongs to. */
export function hazardIndex(hazard: number): number {
  return Math.round(Math.log2(hazard) * BINS_PER_OCTAVE);
}

/** A bin that has faded to so little says nothing any more, and is dropped. */
const NEGLIGIBLE_SUBNETS = 1e-6;

export const DEFAULT_HALF_LIFE_MS = 7 * 24 * 3_600 * 1_000;

export const NO_STATISTICS: SubnetStatistics = {
  updatedMs: Number.NEGATIVE_INFINITY,
  observations: 0,
  firstMs: Number.POSITIVE_INFINITY,
  lastMs: Number.NEGATIVE_INFINITY,
  weight: 0,
  weightSquared: 0,
  overlap: 0,
  lastVisible: null,
  bins: [],
};

export interface SubnetObservation {
  readonly atMs: number;
  readonly visible: VisibleSlots;
  readonly exposures: readonly Exposure[];
}

/** Adds an observation. A late one gets the weight of its age. */
export function addObservation(
  statistics: SubnetStatistics,
  { atMs, visible, exposures }: SubnetObservation,
  halfLifeMs: number = DEFAULT_HALF_LIFE_MS,
): SubnetStatistics {
  const updatedMs = Math.max(statistics.updatedMs, atMs);
  const aged = asOf(statistics, updatedMs, halfLifeMs);
  const weight = fading(updatedMs - atMs, halfLifeMs);

  const bins = new Map(aged.bins.map((bin) => [bin.index, bin]));
  for (const { hazard, subnets, lit } of exposures) {
    const index = hazardIndex(hazard);
    const bin = bins.get(index) ?? { index, subnets: 0, lit: 0, hazard: 0 };
    bins.set(index, {
      index,
      subnets: Math.fround(bin.subnets + weight * subnets),
      lit: Math.fround(bin.lit + weight * lit),
      hazard: Math.fround(bin.hazard + weight * subnets * hazard),
    });
  }

  const isNewest = atMs >= statistics.lastMs;
  return {
    updatedMs,
    observations: statistics.observations + 1,
    firstMs: Math.min(statistics.firstMs, atMs),
    lastMs: Math.max(statistics.lastMs, atMs),
    weight: Math.fround(aged.weight + weight),
    weightSquared: Math.fround(aged.weightSquared + weight ** 2),
    overlap: Math.fround(aged.overlap + weight * sharedPart(statistics.lastVisible, visible)),
    lastVisible: isNewest ? visible : statistics.lastVisible,
    bins: tidied(bins.values()),
  };
}

function tidied(bins: Iterable<HazardBin>): HazardBin[] {
  return [...bins].filter(({ subnets }) => subnets > NEGLIGIBLE_SUBNETS).sort((a, b) => a.index - b.index);
}

/** What was learnt in two separate lots of observations of one peer, together. */
export function mergeStatistics(
  a: SubnetStatistics,
  b: SubnetStatistics,
  halfLifeMs: number = DEFAULT_HALF_LIFE_MS,
): SubnetStatistics {
  if (a.observations === 0) return b;
  if (b.observations === 0) return a;
  const updatedMs = Math.max(a.updatedMs, b.updatedMs);
  const [left, right] = [asOf(a, updatedMs, halfLifeMs), asOf(b, updatedMs, halfLifeMs)];
  const bins = new Map(left.bins.map((bin) => [bin.index, bin]));
  for (const { index, subnets, lit, hazard } of right.bins) {
    const bin = bins.get(index) ?? { index, subnets: 0, lit: 0, hazard: 0 };
    bins.set(index, {
      index,
      subnets: Math.fround(bin.subnets + subnets),
      lit: Math.fround(bin.lit + lit),
      hazard: Math.fround(bin.hazard + hazard),
    });
  }
  return {
    updatedMs,
    observations: a.observations + b.observations,
    firstMs: Math.min(a.firstMs, b.firstMs),
    lastMs: Math.max(a.lastMs, b.lastMs),
    weight: Math.fround(left.weight + right.weight),
    weightSquared: Math.fround(left.weightSquared + right.weightSquared),
    overlap: Math.fround(left.overlap + right.overlap),
    lastVisible: a.lastMs >= b.lastMs ? a.lastVisible : b.lastVisible,
    bins: tidied(bins.values()),
  };
}

function asOf(statistics: SubnetStatistics, nowMs: number, halfLifeMs: number): SubnetStatistics {
  if (statistics.observations === 0 || nowMs === statistics.updatedMs) return statistics;
  return scaled(statistics, fading(nowMs - statistics.updatedMs, halfLifeMs));
}

function fading(ageMs: number, halfLifeMs: number): number {
  return 2 ** (-ageMs / halfLifeMs);
}

function scaled(statistics: SubnetStatistics, factor: number): SubnetStatistics {
  return {
    ...statistics,
    weight: Math.fround(statistics.weight * factor),
    weightSquared: Math.fround(statistics.weightSquared * factor ** 2),
    overlap: Math.fround(statistics.overlap * factor),
    bins: statistics.bins.map(({ index, subnets, lit, hazard }) => ({
      index,
      subnets: Math.fround(subnets * factor),
      lit: Math.fround(lit * factor),
      hazard: Math.fround(hazard * factor),
    })),
  };
}

/** The part of the visible slots that the observation before had shown as well, relative to the mean of both. */
function sharedPart(before: VisibleSlots | null, now: VisibleSlots): number {
  if (before === null) return 0;
  const shared = Math.min(before.last, now.last) - Math.max(before.first, now.first) + 1;
  if (shared <= 0) return 0;
  return shared / Math.sqrt((before.last - before.first + 1) * (now.last - now.first + 1));
}
