/**
 * What the wholeness of counts allows: how often a 90 % interval by likelihood holds the truth if what is counted has the expectation
 * `expected` and a Poisson distribution. Far from 90 % for small expectations, where a single sighting more or less decides. Shares
 * nothing with the estimators.
 */
export function coverageOfWholeCounts(expected: number): number {
  if (expected === 0) return 1;
  let chance = Math.exp(-expected);
  // Nothing seen: the one-sided bound of 95 %.
  let covered = expected <= -Math.log(0.05) ? chance : 0;
  const last = expected + 20 * Math.sqrt(expected) + 20;
  for (let count = 1; count < last; count++) {
    chance *= expected / count;
    const drop = 2 * (count * Math.log(count / expected) - (count - expected));
    if (drop <= 2.7055) covered += chance;
  }
  return covered;
}
