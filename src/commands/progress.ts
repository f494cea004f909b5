import { clockText, count } from '../io/logging/texts.ts';
import type { StoreTotals } from '../programs/consumer/totals.ts';
import type { CrawlProgress } from '../programs/sentry/watched-sentry.ts';
import type { SentryStats } from '../streams/sentry.ts';
import { labelled } from './texts.ts';

/** One look at the running program. */
export interface Snapshot {
  readonly network: string;
  readonly upMs: number;
  readonly crawl: CrawlProgress | null;
  readonly store: StoreProgress | null;
  /** Events NATS has taken since the start; `null` without NATS. */
  readonly forwarded: number | null;
}

export interface StoreProgress {
  readonly totals: StoreTotals;
  readonly eventsStored: number;
  readonly malformed: number;
  readonly parquetFiles: number;
  readonly url: string;
  /** What fails at the moment and is being retried. */
  readonly problems: readonly string[];
}

/** Failure kinds named on the screen; the metrics have all of them. */
const SHOWN_FAILURES = 4;

/** The block that stays on the terminal, in lines of at most `columns`. */
export function renderProgress({ network, upMs, crawl, store, forwarded }: Snapshot, columns: number): string {
  const epoch = crawl === null ? '' : ` · epoch ${crawl.stats.epoch}`;
  const rows: [label: string, parts: string[]][] = [
    ...(crawl === null ? [] : crawlRows(crawl)),
    ...(forwarded === null ? [] : [row('published', `${count(forwarded)} events taken by NATS`)]),
    ...(store === null ? [] : storeRows(store)),
  ];
  return [
    '',
    `valtrack · ${network}${epoch} · up ${clockText(upMs)}`,
    ...rows.flatMap(([label, parts]) => labelled(label, parts, columns)),
    '  Ctrl-C stops and shows a summary',
  ].join('\n');
}

function crawlRows({ stats, depths, devnet }: CrawlProgress): [string, string[]][] {
  const { peers, observedThisEpoch, observed, failed } = stats;
  return [
    ...(devnet === null ? [] : [row('devnet', `${devnet.observed} of ${devnet.nodes} devnet nodes observed`)]),
    row('discovery', ...roundParts(stats)),
    row(
      'peers',
      `${count(peers.known)} known`,
      `${count(peers.due)} due`,
      `${count(peers.phases['backing-off'])} backing off`,
    ),
    row(
      'in flight',
      `${depths.dial.active} dialling`,
      `${depths.handshake.active} shaking hands`,
      `${depths.gossipProbe.active} watched`,
    ),
    row(
      'observed',
      `${count(observedThisEpoch)} peers this epoch`,
      `${count(observed)} observations in all`,
      `${count(failed)} failed visits`,
    ),
    ...failureRows(stats),
  ];
}

function roundParts({ asking, waitingToAsk, lastRound }: SentryStats): string[] {
  if (asking + waitingToAsk > 0) {
    return [`asking ${asking} nodes for neighbours`, `${count(waitingToAsk)} more to ask`];
  }
  if (lastRound === null) return ['not started'];
  const { seen, ours, silent } = lastRound;
  return [`met ${count(seen)} nodes`, `${count(ours)} on this fork`, `${count(silent)} silent`];
}

function failureRows({ failures }: SentryStats): [string, string[]][] {
  const byKind = new Map<string, number>();
  for (const { stage, cause, count: times } of failures) {
    const kind = `${stage} ${cause.replaceAll('_', ' ')}`;
    byKind.set(kind, (byKind.get(kind) ?? 0) + times);
  }
  const kinds = [...byKind].sort(([, a], [, b]) => b - a).slice(0, SHOWN_FAILURES);
  return kinds.length === 0 ? [] : [row('failures', ...kinds.map(([kind, times]) => `${kind} ${count(times)}`))];
}

function storeRows({ totals, eventsStored, malformed, parquetFiles, url, problems }: StoreProgress) {
  return [
    row(
      'stored',
      `${count(eventsStored)} events`,
      `${count(totals.peers)} peers in the view`,
      `${count(parquetFiles)} Parquet files`,
      ...(malformed === 0 ? [] : [`${count(malformed)} malformed put aside`]),
    ),
    row('located', `${count(totals.placed)} peers`, `in ${countries(totals.countries)}`),
    row('validators', `${count(totals.validators)} by the published rule`, 'which understates'),
    ...(problems.length === 0 ? [] : [row('trouble', ...problems)]),
    row('look', `${url}/validators`),
  ];
}

function countries(number: number): string {
  return number === 1 ? '1 country' : `${count(number)} countries`;
}

function row(label: string, ...parts: string[]): [string, string[]] {
  return [label, parts];
}

/** What has gone wrong so far, by `stage cause client`, for the log. */
export function failureFields({ crawl }: Snapshot): { readonly failures?: Readonly<Record<string, number>> } {
  const failures = crawl?.stats.failures ?? [];
  if (failures.length === 0) return {};
  return {
    failures: Object.fromEntries(
      failures.map(({ stage, cause, client, count }) => [`${stage} ${cause} ${client}`, count]),
    ),
  };
}

/** The same as one log line, for when nobody watches a terminal. */
export function progressFields({ crawl, store, forwarded }: Snapshot): Record<string, number> {
  const fields: Record<string, number | null> = {
    epoch: crawl?.stats.epoch ?? null,
    devnetNodesObserved: crawl?.devnet?.observed ?? null,
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
    peersLocated: store?.totals.placed ?? null,
    validatorsPublishedRule: store?.totals.validators ?? null,
  };
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, number] => entry[1] !== null));
}
