import { mergeStatistics, type SubnetStatistics } from './subnet-statistics.ts';
import { expectedLit, logLikelihoodOf, subnetsEstimate } from './subnets.ts';

/** A look with every subnet lit that is less likely than this did not come of duties. */
const LEAST_LIKELY = 1e-4;
/** Looks that show less than this part of what they should did not come of so many duties. */
const SMALLEST_PART = 0.5;

/**
 * Whether looks with every subnet lit came of duties, as those of the largest stakers do, rather than of a flag: the same number of
 * validators must explain both them and the looks with dark subnets. `null` when there are none of the latter to tell by.
 */
export function cameOfDuties(full: SubnetStatistics, partial: SubnetStatistics): boolean | null {
  if (full.observations === 0 || partial.bins.length === 0) return null;
  const validators = subnetsEstimate(mergeStatistics(full, partial))?.validators ?? null;
  if (validators === null) return null;
  const lit = partial.bins.reduce((total, bin) => total + bin.lit, 0);
  return (
    logLikelihoodOf(full, validators) > full.weight * Math.log(LEAST_LIKELY) &&
    lit >= SMALLEST_PART * expectedLit(partial, validators)
  );
}
