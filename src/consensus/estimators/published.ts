/**
 * The published rule: a peer has at least as many validators as the largest number of distinct short-lived attestation
 * subnets seen in one observation of it. Blind beyond 64 minus the long-lived subnets, kept because every published
 * figure so far is in this unit.
 */
export interface PublishedEstimate {
  /** Distinct short-lived subnets of the richest observation. */
  readonly maxValidatorCount: number;
  /** Whether any observation had a short-lived subnet. */
  readonly possibleValidator: boolean;
  /** Observations of the peer, those without metadata included. */
  readonly numObservations: number;
}

const UNOBSERVED: PublishedEstimate = { maxValidatorCount: 0, possibleValidator: false, numObservations: 0 };

/**
 * The estimate after one more observation; the order of observations does not matter.
 *
 * `shortLivedCount` is `null` when the long-lived subnets were not obtained: such an observation counts as one, and
 * says nothing about validators.
 */
export function publishedEstimate(
  estimate: PublishedEstimate = UNOBSERVED,
  shortLivedCount: number | null,
): PublishedEstimate {
  const maxValidatorCount = Math.max(estimate.maxValidatorCount, shortLivedCount ?? 0);
  return {
    maxValidatorCount,
    possibleValidator: maxValidatorCount > 0,
    numObservations: estimate.numObservations + 1,
  };
}
