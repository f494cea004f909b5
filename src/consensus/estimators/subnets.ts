import type { Estimate } from './estimate.ts';
import type { HazardBin, SubnetStatistics } from './subnet-statistics.ts';

/**
 * Maximum likelihood from the subnets a node was seen to join (reference, section 6). With hazard h, each of n subnets is lit with
 * probability 1 - exp(-hV); the likelihood of all of them has one maximum, found where its slope is zero.
 *
 * The interval holds all V whose likelihood is not too far below the maximum (2 Δ log L <= 2.706, the 90 % point of χ² with one degree
 * of freedom). Where nothing or everything was lit, the bound is the exact one-sided 95 % one.
 *
 * @param crowding how far sightings exclude each other; 0 gives intervals that are a little too wide
 */
export function subnetsEstimate(statistics: SubnetStatistics, crowding = 0): Estimate | null {
  const bins = binsOf(statistics);
  const subnets = sum(bins, (bin) => bin.subnets);
  const lit = sum(bins, (bin) => bin.lit);
  if (subnets === 0) return null;

  const worth = worthOf(statistics);
  if (lit <= 0) {
    const exposure = sum(bins, (bin) => bin.subnets * bin.hazard);
    return { validators: 0, low: 0, high: -Math.log(TAIL) / (exposure * worth) };
  }
  if (lit >= subnets * (1 - 1e-12)) {
    return {
      validators: null,
      low: solve((count) => logLikelihood(bins, count) * worth - Math.log(TAIL), 0),
      high: null,
    };
  }
  const best = solve((count) => -slope(bins, count), 0);
  const peak = logLikelihood(bins, best);
  const load = (best * sum(bins, (bin) => bin.subnets * bin.hazard)) / subnets;
  const independent = worth / (repetition(statistics, load) * dispersion(crowding, load));
  const drop = (count: number) => 2 * independent * (peak - logLikelihood(bins, count)) - CHI_SQUARE_90;
  return { validators: best, low: bisect((count) => -drop(count), 0, best), high: solve(drop, best) };
}

/** Log of the chance that so many validators show just what was seen. */
export function logLikelihoodOf(statistics: SubnetStatistics, validators: number): number {
  return logLikelihood(binsOf(statistics), validators);
}

/** How many of the subnets seen so many validators are expected to have lit. */
export function expectedLit(statistics: SubnetStatistics, validators: number): number {
  return sum(binsOf(statistics), ({ subnets, hazard }) => subnets * -Math.expm1(-hazard * validators));
}

const TAIL = 0.05;
const CHI_SQUARE_90 = 2.705543454095404;

interface MeanBin {
  readonly hazard: number;
  readonly subnets: number;
  readonly lit: number;
}

function binsOf({ bins }: SubnetStatistics): MeanBin[] {
  return bins.filter(({ subnets }) => subnets > 0).map(meanBin);
}

function meanBin({ subnets, lit, hazard }: HazardBin): MeanBin {
  return { hazard: hazard / subnets, subnets, lit };
}

function logLikelihood(bins: readonly MeanBin[], count: number): number {
  return sum(bins, ({ hazard, subnets, lit }) => {
    const dark = -(subnets - lit) * hazard * count;
    return lit === 0 ? dark : dark + lit * Math.log(-Math.expm1(-hazard * count));
  });
}

/** Derivative of the log likelihood. */
function slope(bins: readonly MeanBin[], count: number): number {
  return sum(bins, ({ hazard, subnets, lit }) =>
    lit === 0 ? -subnets * hazard : hazard * (lit / Math.expm1(hazard * count) - (subnets - lit)),
  );
}

/**
 * How many independent observations a unit of weight stands for. Old observations weigh less, and so tell less: with equal weights
 * below 1 the sums look like fewer observations than were made.
 */
function worthOf({ weight, weightSquared }: SubnetStatistics): number {
  return weight / weightSquared;
}

/**
 * By how much the variance is larger than that of independent observations, because those close in time show some of the same duties
 * (Teku is subscribed for up to two epochs ahead): 1 + 2 Σ ρ, where ρ is the correlation that a share of common duties gives to "lit" at
 * this number of duties on a subnet. If neighbours share a part s of their duties, those k apart share 1 - k (1 - s).
 */
function repetition({ overlap, weight, observations }: SubnetStatistics, load: number): number {
  const neighbours = overlap / weight;
  if (neighbours === 0) return 1;
  let correlations = 0;
  for (let apart = 1; apart < observations; apart++) {
    const shared = 1 - apart * (1 - neighbours);
    if (shared <= 0) break;
    correlations += Math.expm1(shared * load) / Math.expm1(load);
  }
  return 1 + 2 * correlations;
}

/**
 * By how much the variance is smaller than that of independent subnets, because a validator lights one subnet an epoch at most. As many
 * balls as are thrown into boxes leave n exp(-x) (1 - exp(-x) - c x exp(-x)) variance of empty ones, where x is the load of a box and
 * c how far the balls' number is given.
 */
function dispersion(crowding: number, load: number): number {
  return 1 - (crowding * load) / Math.expm1(load);
}

const RELATIVE_PRECISION = 1e-9;
const MAX_STEPS = 200;
const LARGEST_COUNT = 1e9;

/** The smallest count above `from` where an increasing function reaches zero; at most {@link LARGEST_COUNT}. */
function solve(increasing: (count: number) => number, from: number): number {
  let high = Math.max(1, 2 * from);
  while (increasing(high) < 0 && high < LARGEST_COUNT) high *= 2;
  return bisect(increasing, from, high);
}

/** Where an increasing function crosses zero between two counts. */
function bisect(increasing: (count: number) => number, low: number, high: number): number {
  let [below, above] = [low, high];
  for (let step = 0; step < MAX_STEPS && above - below > RELATIVE_PRECISION * Math.max(above, 1e-3); step++) {
    const middle = (below + above) / 2;
    if (increasing(middle) < 0) below = middle;
    else above = middle;
  }
  return (below + above) / 2;
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
