import { Counter, Gauge, Registry } from 'prom-client';
import { REFUSALS } from '../../consensus/events.ts';
import type { ConsumerCounts } from '../../programs/consumer/consumer.ts';
import type { Geolocation } from '../../programs/consumer/geolocation.ts';
import type { KeptPart } from '../../programs/keep-running.ts';
import type { StageDepths } from '../../programs/sentry/pipeline.ts';
import type { Depth } from '../../streams/flow/merge-bounded.ts';
import type { SentryStats } from '../../streams/sentry.ts';

/** What the program counts, read at the moment of a scrape; each source may be missing. */
export interface MetricSources {
  /** Errors inside network libraries that nobody caught, by library. */
  strays?: ReadonlyMap<string, number>;
  /** Parts that are started again when they fail. */
  parts?: readonly KeptPart[];
  sentry?: { stats(): SentryStats; readonly depths: StageDepths };
  consumer?: { counts(): ConsumerCounts };
  geolocation?: Pick<Geolocation, 'counts' | 'problems'>;
  spool?: { depth(): Promise<Size & { readonly oldestMs: number | null }>; kept(): Size };
}

interface Size {
  readonly entries: number;
  readonly bytes: number;
}

/** Prometheus metrics of the program, all named `valtrack_…`. Labels come from closed lists only. */
export interface Metrics {
  readonly contentType: string;
  render(): Promise<string>;
}

type Fill<Label extends string> = (
  set: (labels: Partial<Record<Label, string>>, value: number) => void,
) => void | Promise<void>;

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();

  /** A gauge that is filled anew at each scrape. */
  function gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    fill: Fill<Label>,
  ): void {
    new Gauge({
      ...described(name, help, labelNames),
      async collect() {
        this.reset();
        await fill((labels, value) => this.set(labels as Record<Label, string>, value));
      },
    });
  }

  /** The same for what only grows while the process lives. */
  function counter<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    fill: Fill<Label>,
  ): void {
    new Counter({
      ...described(name, help, labelNames),
      async collect() {
        this.reset();
        await fill((labels, value) => this.inc(labels as Record<Label, string>, value));
      },
    });
  }

  function described<Label extends string>(name: string, help: string, labelNames: readonly Label[]) {
    return { name: `valtrack_${name}`, help, labelNames: [...labelNames], registers: [registry] };
  }

  const { sentry, consumer, spool, strays, parts, geolocation } = sources;
  if (strays !== undefined) {
    counter('uncaught_network_errors_total', 'Errors in network libraries that nobody caught', ['library'], (set) => {
      for (const [library, count] of strays) set({ library }, count);
    });
  }
  if (parts !== undefined) {
    counter('part_restarts_total', 'How often a part has failed and was to be started again', ['part'], (set) => {
      for (const { name, restarts } of parts) set({ part: name.replace(/^the /, '') }, restarts);
    });
  }
  if (sentry !== undefined) {
    gauge('epoch', 'Current epoch by the network clock', [], (set) => set({}, sentry.stats().epoch));
    gauge('peers', 'Peers known, by phase', ['phase'], (set) => {
      for (const [phase, count] of Object.entries(sentry.stats().peers.phases)) set({ phase }, count);
    });
    gauge('peers_due', 'Peers whose time has come and that wait for a slot', [], (set) =>
      set({}, sentry.stats().peers.due),
    );
    counter('peers_over_limit_total', 'What became of peers when no more could be kept', ['outcome'], (set) => {
      const { refused, evicted } = sentry.stats().peers;
      set({ outcome: 'refused' }, refused);
      set({ outcome: 'evicted' }, evicted);
    });
    gauge('visits_in_flight', 'Visits in flight over all stages', [], (set) => set({}, sentry.stats().inFlight));
    counter('observations_total', 'Observations made since the start', [], (set) => set({}, sentry.stats().observed));
    gauge('observed_this_epoch', 'Distinct peers observed since the epoch began', [], (set) =>
      set({}, sentry.stats().observedThisEpoch),
    );
    counter('failed_visits_total', 'Failed visits since the start', ['stage', 'cause', 'client'], (set) => {
      for (const { stage, cause, client, count } of sentry.stats().failures) set({ stage, cause, client }, count);
    });
    counter('inbound_turned_away_total', 'Inbound connections that found no slot', [], (set) =>
      set({}, sentry.stats().turnedAway),
    );
    gauge('stage_depth', 'Items in a stage', ['stage', 'state'], (set) => {
      for (const [stage, depth] of Object.entries(sentry.depths) as [string, Depth][]) {
        set({ stage, state: 'active' }, depth.active);
        set({ stage, state: 'waiting' }, depth.waiting);
        set({ stage, state: 'overflowed' }, depth.overflowed);
      }
    });
    gauge('crawl_round_nodes', 'Nodes of the last finished crawl round', ['outcome'], (set) => {
      const round = sentry.stats().lastRound;
      if (round === null) return;
      set({ outcome: 'seen' }, round.seen);
      set({ outcome: 'answered' }, round.answered);
      set({ outcome: 'silent' }, round.silent);
      set({ outcome: 'ours' }, round.ours);
      set({ outcome: 'dropped' }, round.dropped);
    });
  }
  if (spool !== undefined) {
    gauge('event_log_entries', 'Events on disk that a reader has not acknowledged', [], async (set) =>
      set({}, (await spool.depth()).entries),
    );
    gauge('event_log_bytes', 'Bytes of those events', [], async (set) => set({}, (await spool.depth()).bytes));
    gauge('event_log_oldest_seconds', 'Age of the oldest of those events; 0 when there is none', [], async (set) => {
      const { oldestMs } = await spool.depth();
      set({}, oldestMs === null ? 0 : Math.max(0, Date.now() - oldestMs) / 1_000);
    });
    gauge('event_log_kept_entries', 'Events on disk that NATS has and that were not read from there', [], (set) =>
      set({}, spool.kept().entries),
    );
    gauge('event_log_kept_bytes', 'Bytes of those events', [], (set) => set({}, spool.kept().bytes));
  }
  if (consumer !== undefined) {
    counter('events_total', 'Deliveries since the start, by what became of them', ['outcome'], (set) => {
      const { applied, duplicates, malformed } = consumer.counts();
      set({ outcome: 'applied' }, applied);
      set({ outcome: 'duplicate' }, duplicates);
      set({ outcome: 'malformed' }, malformed);
    });
    counter('dead_letters_total', 'Events put aside since the start, by what is wrong with them', ['reason'], (set) => {
      for (const reason of REFUSALS) set({ reason }, consumer.counts().deadLetters.get(reason) ?? 0);
    });
    counter('dead_letters_dropped_total', 'Older ones of those removed to make room', [], (set) =>
      set({}, consumer.counts().deadLettersDropped),
    );
    counter('parquet_files_total', 'Parquet files since the start, by what became of them', ['change'], (set) => {
      const { parquetFiles, upkeep } = consumer.counts();
      set({ change: 'written' }, parquetFiles);
      set({ change: 'merged' }, upkeep.merged);
      set({ change: 'merged into' }, upkeep.mergedInto);
      set({ change: 'addresses removed' }, upkeep.anonymised);
      set({ change: 'dropped' }, upkeep.dropped);
    });
    counter('forgotten_total', 'What has become too old since the start, by what it was', ['what'], (set) => {
      const { peers, deadLetters, eventIds } = consumer.counts().forgotten;
      set({ what: 'addresses of a peer' }, peers);
      set({ what: 'dead letter' }, deadLetters);
      set({ what: 'event id' }, eventIds);
    });
    counter('parquet_rows_total', 'Rows written to Parquet files since the start', [], (set) =>
      set({}, consumer.counts().parquetRows),
    );
    gauge('parquet_staged_rows', 'Rows that wait to be written to Parquet files', [], (set) =>
      set({}, consumer.counts().stagedRows),
    );
  }
  if (geolocation !== undefined) {
    counter(
      'addresses_located_total',
      'Look-ups since the start; provisional ones, of which a source could not be asked, are among the others',
      ['outcome'],
      (set) => {
        const { addresses, placed, provisional } = geolocation.counts();
        set({ outcome: 'placed' }, placed);
        set({ outcome: 'unknown' }, addresses - placed);
        set({ outcome: 'provisional' }, provisional);
      },
    );
    gauge('geolocation_failing_sources', 'Sources of locations that cannot answer at the moment', [], (set) =>
      set({}, geolocation.problems().length),
    );
  }
  return { contentType: registry.contentType, render: () => registry.metrics() };
}
