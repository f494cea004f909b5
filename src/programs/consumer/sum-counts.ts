import type { GeolocationCounts } from './geolocation.ts';
import type { ConsumerCounts } from './start-consumer.ts';

/** What was counted before a part was started again, and since: counters that are read from outside never go back. */

export function sumConsumerCounts(before: ConsumerCounts, since: ConsumerCounts): ConsumerCounts {
  return {
    deliveries: before.deliveries + since.deliveries,
    applied: before.applied + since.applied,
    duplicates: before.duplicates + since.duplicates,
    malformed: before.malformed + since.malformed,
    parquetFiles: before.parquetFiles + since.parquetFiles,
    parquetRows: before.parquetRows + since.parquetRows,
    // Not a counter: the rows are on disk, and the next consumer has found them there.
    stagedRows: since.stagedRows,
    deadLetters: sumByKey(before.deadLetters, since.deadLetters),
    deadLettersDropped: before.deadLettersDropped + since.deadLettersDropped,
    upkeep: sumFields(before.upkeep, since.upkeep),
    forgotten: sumFields(before.forgotten, since.forgotten),
  };
}

export function sumGeolocationCounts(before: GeolocationCounts, since: GeolocationCounts): GeolocationCounts {
  return sumFields(before, since);
}

function sumFields<T extends { readonly [Key in keyof T]: number }>(before: T, since: T): T {
  const names = Object.keys(since) as (keyof T)[];
  return Object.fromEntries(names.map((name) => [name, before[name] + since[name]])) as T;
}

function sumByKey<Key>(before: ReadonlyMap<Key, number>, since: ReadonlyMap<Key, number>): ReadonlyMap<Key, number> {
  const sum = new Map(before);
  for (const [key, count] of since) sum.set(key, (sum.get(key) ?? 0) + count);
  return sum;
}

/** Counts that go on from where those of the part before have ended. */
export function onTopOf<Counts>(
  before: (() => Counts) | null,
  since: () => Counts,
  sum: (before: Counts, since: Counts) => Counts,
): () => Counts {
  if (before === null) return since;
  const ended = before();
  return () => sum(ended, since());
}
