import { counter, gauge, type Metric } from '../../io/metrics/metrics.ts';
import type { Depth } from '../../streams/flow/merge-bounded.ts';
import type { SentryStats } from '../../streams/sentry.ts';
import type { StageDepths } from './pipeline.ts';

/** What the crawl counts. */
export function sentryMetrics(sources: { stats(): SentryStats; depths(): StageDepths }): Metric[] {
  const { stats, depths } = sources;
  return [...peerMetrics(stats), ...visitMetrics(stats), ...stageMetrics(stats, depths)];
}

function peerMetrics(stats: () => SentryStats): Metric[] {
  return [
    gauge('epoch', 'Current epoch by the network clock', [], (set) => set({}, stats().epoch)),
    gauge('peers', 'Peers known, by phase', ['phase'], (set) => {
      for (const [phase, count] of Object.entries(stats().peers.phases)) set({ phase }, count);
    }),
    gauge('peers_due', 'Peers whose time has come and that wait for a slot', [], (set) => set({}, stats().peers.due)),
    counter('peers_over_limit_total', 'What became of peers when no more could be kept', ['outcome'], (set) => {
      const { refused, evicted } = stats().peers;
      set({ outcome: 'refused' }, refused);
      set({ outcome: 'evicted' }, evicted);
    }),
  ];
}

function visitMetrics(stats: () => SentryStats): Metric[] {
  return [
    gauge('visits_in_flight', 'Visits in flight over all stages', [], (set) => set({}, stats().inFlight)),
    counter('observations_total', 'Observations made since the start', [], (set) => set({}, stats().observed)),
    gauge('observed_this_epoch', 'Distinct peers observed since the epoch began', [], (set) =>
      set({}, stats().observedThisEpoch),
    ),
    counter(
      'failed_visits_total',
      'What went wrong with visits, parts of visits and records since the start',
      ['stage', 'cause', 'client'],
      (set) => {
        for (const { stage, cause, client, count } of stats().failures) set({ stage, cause, client }, count);
      },
    ),
    counter('inbound_turned_away_total', 'Connections from peers that began no visit', ['client', 'reason'], (set) => {
      for (const { client, reason, count } of stats().turnedAway) set({ client, reason }, count);
    }),
    gauge('inbound_waiting', 'Connections from peers that are kept or held without a visit', [], (set) =>
      set({}, stats().waiting),
    ),
  ];
}

function stageMetrics(stats: () => SentryStats, depths: () => StageDepths): Metric[] {
  return [
    gauge('stage_depth', 'Items in a stage', ['stage', 'state'], (set) => {
      for (const [stage, depth] of Object.entries(depths()) as [string, Depth][]) {
        set({ stage, state: 'active' }, depth.active);
        set({ stage, state: 'waiting' }, depth.waiting);
        set({ stage, state: 'overflowed' }, depth.overflowed);
      }
    }),
    gauge('crawl_round_nodes', 'Nodes of the last finished crawl round', ['outcome'], (set) => {
      const round = stats().lastRound;
      if (round === null) return;
      set({ outcome: 'seen' }, round.seen);
      set({ outcome: 'answered' }, round.answered);
      set({ outcome: 'silent' }, round.silent);
      set({ outcome: 'ours' }, round.ours);
      set({ outcome: 'dropped' }, round.dropped);
    }),
  ];
}
