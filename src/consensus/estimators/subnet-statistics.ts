import type { VisibleSlots } from './client-windows.ts';
import type { Exposure } from './exposure.ts';

/**
 * All that the subnet estimator remembers of a peer: sums over its observations, grouped by hazard. The state stays a few hundred
 * bytes however long the peer is watched.
 *
 * Observations lose weight with age. All sums are weighted as of `updatedMs`.
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
  const aged =
    statistics.observations === 0
      ? statistics
      : scaled(statistics, fading(updatedMs - statistics.updatedMs, halfLifeMs));
  const weight = fading(updatedMs - atMs, halfLifeMs);

  const bins = new Map(aged.bins.map((bin) => [bin.index, bin]));
  for (const { hazard, subnets, lit } of exposures) {
    const index = Math.round(Math.log2(hazard) * BINS_PER_OCTAVE);
    const bin = bins.get(index) ?? { index, subnets: 0, lit: 0, hazard: 0 };
    bins.set(index, {
      index,
      subnets: bin.subnets + weight * subnets,
      lit: bin.lit + weight * lit,
      hazard: bin.hazard + weight * subnets * hazard,
    });
  }

  const isNewest = atMs >= statistics.lastMs;
  return {
    updatedMs,
    observations: statistics.observations + 1,
    firstMs: Math.min(statistics.firstMs, atMs),
    lastMs: Math.max(statistics.lastMs, atMs),
    weight: aged.weight + weight,
    weightSquared: aged.weightSquared + weight ** 2,
    overlap: aged.overlap + weight * sharedPart(statistics.lastVisible, visible),
    lastVisible: isNewest ? visible : statistics.lastVisible,
    bins: [...bins.values()].sort((a, b) => a.index - b.index),
  };
}

function fading(ageMs: number, halfLifeMs: number): number {
  return 2 ** (-ageMs / halfLifeMs);
}

function scaled(statistics: SubnetStatistics, factor: number): SubnetStatistics {
  return {
    ...statistics,
    weight: statistics.weight * factor,
    weightSquared: statistics.weightSquared * factor ** 2,
    overlap: statistics.overlap * factor,
    bins: statistics.bins.map(({ index, subnets, lit, hazard }) => ({
      index,
      subnets: subnets * factor,
      lit: lit * factor,
      hazard: hazard * factor,
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
