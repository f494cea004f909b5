/**
 * The Go program's present rule, to compare with figures it published: the most frequent non-zero number of short-lived subnets.
 *
 * It counts subnets 1 to 64, so that subnet 0 never counts; it takes only observations with exactly two long-lived subnets and at
 * least one short-lived one, so that it never says zero.
 */
export interface LegacyCounts {
  /** How often each number of subnets was seen, ascending by number. */
  readonly seen: readonly (readonly [subnets: number, observations: number])[];
}

export interface LegacyEstimate {
  readonly validatorCount: number;
  /** Share of the observations that gave this number. */
  readonly accuracy: number;
  readonly observations: number;
}

export const NO_LEGACY_COUNTS: LegacyCounts = { seen: [] };

const LOWEST_COUNTED_SUBNET = 1;
const LONG_LIVED_SUBNETS = 2;

export function addLegacyObservation(
  { seen }: LegacyCounts,
  subscribed: Iterable<number>,
  longLived: ReadonlySet<number>,
): LegacyCounts {
  if (longLived.size !== LONG_LIVED_SUBNETS) return { seen };
  const counted = new Set(
    [...subscribed].filter((subnet) => subnet >= LOWEST_COUNTED_SUBNET && !longLived.has(subnet)),
  );
  if (counted.size === 0) return { seen };
  const counts = new Map(seen);
  counts.set(counted.size, (counts.get(counted.size) ?? 0) + 1);
  return { seen: [...counts].sort(([a], [b]) => a - b) };
}

/** `null` before the first observation that counts. Of equally frequent numbers the larger wins. */
export function legacyEstimate({ seen }: LegacyCounts): LegacyEstimate | null {
  const observations = seen.reduce((total, [, times]) => total + times, 0);
  const mode = seen.reduce<readonly [number, number] | null>(
    (best, entry) => (best === null || entry[1] >= best[1] ? entry : best),
    null,
  );
  if (mode === null) return null;
  return { validatorCount: mode[0], accuracy: mode[1] / observations, observations };
}
