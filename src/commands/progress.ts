import type { StageDepths } from '../io/sentry.ts';
import type { SentryStats } from '../streams/sentry.ts';
import type { StoreTotals } from './store-part.ts';

/** One look at the running program. */
export interface Snapshot {
  readonly network: string;
  readonly upMs: number;
  readonly crawl: { readonly stats: SentryStats; readonly depths: StageDepths } | null;
  readonly store: {
    readonly totals: StoreTotals;
    readonly eventsStored: number;
    readonly malformed: number;
    readonly parquetFiles: number;
    readonly url: string;
  } | null;
  /** Events NATS has taken since the start. */
  readonly forwarded: number | null;
}

const LABEL_WIDTH = 12;
/** Failure kinds named on the screen; the metrics have all of them. */
const SHOWN_FAILURES = 4;

/** The block that stays on the terminal. */
export function renderProgress(snapshot: Snapshot): string {
  const { network, upMs, crawl, store, forwarded } = snapshot;
  const epoch = crawl === null ? '' : ` · epoch ${crawl.stats.epoch}`;
  return [
    '',
    `valtrack · ${network}${epoch} · up ${duration(upMs)}`,
    ...(crawl === null ? [] : crawlRows(crawl)),
    ...(forwarded === null ? [] : [row('published', `${count(forwarded)} events taken by NATS`)]),
    ...(store === null ? [] : storeRows(store)),
    '  Ctrl-C stops and shows a summary',
  ].join('\n');
}

function crawlRows({ stats, depths }: NonNullable<Snapshot['crawl']>): string[] {
  const { peers, observedThisEpoch, observed, failed, asking, waitingToAsk, lastRound } = stats;
  const round =
    asking + waitingToAsk > 0
      ? `asking ${asking} nodes for neighbours, ${count(waitingToAsk)} wait`
      : lastRound === null
        ? 'not started'
        : `met ${count(lastRound.seen)} nodes, ${count(lastRound.ours)} on this fork, ${count(lastRound.silent)} silent`;
  return [
    row('discovery', round),
    row(
      'peers',
      `${count(peers.known)} known, ${count(peers.due)} due, ${count(peers.phases['backing-off'])} backing off`,
    ),
    row(
      'in flight',
      `${stats.inFlight}: ${depths.dial.active} dial, ${depths.handshake.active} handshake, ${depths.gossipProbe.active} gossip probe`,
    ),
    row(
      'observed',
      `${count(observedThisEpoch)} peers this epoch, ${count(observed)} observations, ${count(failed)} failed visits`,
    ),
    ...failureRow(stats),
  ];
}

function failureRow({ failures }: SentryStats): string[] {
  const byKind = new Map<string, number>();
  for (const { stage, cause, count: times } of failures) {
    const kind = `${stage} ${cause.replaceAll('_', ' ')}`;
    byKind.set(kind, (byKind.get(kind) ?? 0) + times);
  }
  const kinds = [...byKind].sort(([, a], [, b]) => b - a).slice(0, SHOWN_FAILURES);
  return kinds.length === 0
    ? []
    : [row('failures', kinds.map(([kind, times]) => `${kind} ${count(times)}`).join(', '))];
}

function storeRows({ totals, eventsStored, malformed, parquetFiles, url }: NonNullable<Snapshot['store']>): string[] {
  const setAside = malformed === 0 ? '' : `, ${count(malformed)} malformed set aside`;
  return [
    row(
      'stored',
      `${count(eventsStored)} events, ${count(totals.peers)} peers in the view, ${parquetFiles} Parquet files${setAside}`,
    ),
    row('validators', `${count(totals.validators)} by the published rule (it understates; see docs)`),
    row('look', `${url}/validators`),
  ];
}

/** The same as one log line, for when nobody watches a terminal. */
export function progressFields({ crawl, store, forwarded }: Snapshot): Record<string, number> {
  const fields: Record<string, number | null> = {
    epoch: crawl?.stats.epoch ?? null,
    peersKnown: crawl?.stats.peers.known ?? null,
    due: crawl?.stats.peers.due ?? null,
    inFlight: crawl?.stats.inFlight ?? null,
    dialing: crawl?.depths.dial.active ?? null,
    handshaking: crawl?.depths.handshake.active ?? null,
    probing: crawl?.depths.gossipProbe.active ?? null,
    observations: crawl?.stats.observed ?? null,
    failedVisits: crawl?.stats.failed ?? null,
    eventsPublished: forwarded,
    eventsStored: store?.eventsStored ?? null,
    peersInView: store?.totals.peers ?? null,
    validatorsPublishedRule: store?.totals.validators ?? null,
  };
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, number] => entry[1] !== null));
}

function row(label: string, value: string): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${value}`;
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Hours, minutes and seconds, as a clock shows them. */
export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds < 3_600 ? clock : `${Math.floor(seconds / 3_600)}:${clock}`;
}
