import type { Estimate } from './estimate.ts';

/** What one assumption gives, and how likely it is. */
export interface WeightedEstimate {
  readonly share: number;
  readonly estimate: Estimate;
}

/**
 * One estimate where it is not known which of several assumptions holds: the mean by their shares, with an interval that spans theirs.
 * `null` without any.
 */
export function mixedEstimate(estimates: readonly WeightedEstimate[]): Estimate | null {
  if (estimates.length === 0) return null;
  const shares = estimates.reduce((total, { share }) => total + share, 0);
  let validators: number | null = 0;
  let low = Number.POSITIVE_INFINITY;
  let high: number | null = 0;
  for (const { share, estimate } of estimates) {
    validators =
      validators === null || estimate.validators === null ? null : validators + (share / shares) * estimate.validators;
    low = Math.min(low, estimate.low);
    high = high === null || estimate.high === null ? null : Math.max(high, estimate.high);
  }
  return { validators, low, high };
}
