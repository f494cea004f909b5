import type { DutyRules } from './committees.ts';
import type { Estimate } from './estimate.ts';

/**
 * Allows for a node's share of the network. The likelihood draws the duties of each validator by themselves, but no two validators have
 * the same place in an epoch: with V of N, each of the s places of a subnet is the node's with probability V/N and lights it with p V/N,
 * so that P(dark) = (1 - p V/N)^s and not exp(-s p V/N). What was estimated is therefore V' = -N/p ln(1 - p V/N). The difference is a
 * part in p V/2N: nothing on mainnet, and 2.5 % for 300 of 2,000.
 */
export function withinNetwork({ validators, low, high }: Estimate, rules: DutyRules): Estimate {
  const scale = rules.activeValidators / rules.aggregatorProbability;
  const within = (drawnByThemselves: number) => -scale * Math.expm1(-drawnByThemselves / scale);
  return {
    validators: validators === null ? null : within(validators),
    low: within(low),
    high: high === null ? null : within(high),
  };
}
