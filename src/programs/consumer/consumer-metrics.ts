import { REFUSALS } from '../../consensus/events.ts';
import { counter, gauge, type Metric } from '../../io/metrics/metrics.ts';
import type { Geolocation } from './geolocation.ts';
import type { ConsumerCounts } from './start-consumer.ts';

/** What becomes of deliveries, rows and files. */
export function consumerMetrics(counts: () => ConsumerCounts): Metric[] {
  return [
    counter('events_total', 'Deliveries since the start, by what became of them', ['outcome'], (set) => {
      const { applied, duplicates, malformed } = counts();
      set({ outcome: 'applied' }, applied);
      set({ outcome: 'duplicate' }, duplicates);
      set({ outcome: 'malformed' }, malformed);
    }),
    counter('dead_letters_total', 'Events put aside since the start, by what is wrong with them', ['reason'], (set) => {
      for (const reason of REFUSALS) set({ reason }, counts().deadLetters.get(reason) ?? 0);
    }),
    counter('dead_letters_dropped_total', 'Older ones of those removed to make room', [], (set) =>
      set({}, counts().deadLettersDropped),
    ),
    counter('parquet_files_total', 'Parquet files since the start, by what became of them', ['change'], (set) => {
      const { parquetFiles, upkeep } = counts();
      set({ change: 'written' }, parquetFiles);
      set({ change: 'merged' }, upkeep.merged);
      set({ change: 'merged into' }, upkeep.mergedInto);
      set({ change: 'addresses removed' }, upkeep.anonymised);
      set({ change: 'dropped' }, upkeep.dropped);
    }),
    counter('forgotten_total', 'What has become too old since the start, by what it was', ['what'], (set) => {
      const { peers, deadLetters, eventIds } = counts().forgotten;
      set({ what: 'addresses of a peer' }, peers);
      set({ what: 'dead letter' }, deadLetters);
      set({ what: 'event id' }, eventIds);
    }),
    counter('parquet_rows_total', 'Rows written to Parquet files since the start', [], (set) =>
      set({}, counts().parquetRows),
    ),
    gauge('parquet_staged_rows', 'Rows that wait to be written to Parquet files', [], (set) =>
      set({}, counts().stagedRows),
    ),
  ];
}

/** What becomes of addresses. */
export function geolocationMetrics({ counts, problems }: Pick<Geolocation, 'counts' | 'problems'>): Metric[] {
  return [
    counter(
      'addresses_located_total',
      'Look-ups since the start; provisional ones, of which a source could not be asked, are among the others',
      ['outcome'],
      (set) => {
        const { addresses, placed, provisional } = counts();
        set({ outcome: 'placed' }, placed);
        set({ outcome: 'unknown' }, addresses - placed);
        set({ outcome: 'provisional' }, provisional);
      },
    ),
    gauge('geolocation_failing_sources', 'Sources of locations that cannot answer at the moment', [], (set) =>
      set({}, problems().length),
    ),
  ];
}
