import {
  catchError,
  debounceTime,
  defer,
  delayWhen,
  finalize,
  map,
  merge,
  type Observable,
  observeOn,
  of,
  race,
  reduce,
  take,
  takeUntil,
  tap,
  timer,
} from 'rxjs';
import { type Failure, failure } from '../consensus/failure.ts';
import { parseTopic } from '../consensus/subnets.ts';
import type { StageLimits } from './dial.ts';
import { mergeBounded } from './flow/merge-bounded.ts';
import type { PeerLink, SubscriptionRpc } from './ports/peer-link.ts';
import {
  type GreetedVisit,
  type Observation,
  type Stage,
  type VisitOutcome,
  visitFailed,
  visitSucceeded,
} from './visit.ts';

/** `timeoutMs` is how long the gossip hello is waited for. */
export interface GossipProbeOptions extends StageLimits {
  /** The picture has settled when the peer's subscriptions have not changed for this long. */
  readonly settleMs: number;
  /** From the hello on, the probe lasts no longer than this, settled or not. */
  readonly dwellMs: number;
  /** Digests whose topics count, now. */
  readonly acceptedDigests: () => ReadonlySet<string>;
}

/** What the gossip hello and its deltas have shown so far. Unsubscribing does not unsee. */
interface Picture {
  readonly helloMs: number | null;
  /** Attestation subnets by the digest they were named under: around a fork there are two. */
  readonly subnets: ReadonlyMap<string, ReadonlySet<number>>;
  /** Attestation topics it has not left again. */
  readonly current: ReadonlyMap<string, { readonly digest: string; readonly subnet: number }>;
  readonly syncnets: ReadonlySet<number>;
  readonly dataColumns: ReadonlySet<number>;
  /** A subnet topic that cannot be, if one was named. */
  readonly oddTopic: string | null;
  /** A digest under which attestation subnets were named although nobody carries it. */
  readonly oddDigest: string | null;
  readonly dropped: number;
}

const BLANK: Picture = {
  helloMs: null,
  subnets: new Map(),
  current: new Map(),
  syncnets: new Set(),
  dataColumns: new Set(),
  oddTopic: null,
  oddDigest: null,
  dropped: 0,
};

/**
 * Watches the subscriptions of a greeted peer until they settle, then ends the visit and hangs up. A peer of which
 * nothing at all was learnt is a failure, any other an observation.
 */
export function gossipProbe(options: GossipProbeOptions): Stage<GreetedVisit, Observation> {
  return mergeBounded((visit) => watch(visit, options), {
    ...options,
    onOverflow: (visit) => {
      visit.link.leave('given-up');
      return visitFailed(visit, failure('subscriptions', 'resource_limited'), visit.agent);
    },
  });
}

function watch(visit: GreetedVisit, options: GossipProbeOptions): Observable<VisitOutcome<Observation>> {
  const { link } = visit;
  const { settleMs, dwellMs, timeoutMs, scheduler, acceptedDigests } = options;

  return defer(() => {
    let closing: Failure | null = null;
    let isHeard = false;
    const closed$ = link.closed$.pipe(
      tap((reason) => {
        closing = reason;
      }),
    );
    const settled$ = link.subscriptions$.pipe(debounceTime(settleMs, scheduler));
    // A connection that is already closed must not end the watch before what it said has been replayed.
    const overdue$ = merge(
      timer(timeoutMs, scheduler).pipe(takeUntil(link.subscriptions$)),
      link.subscriptions$.pipe(
        take(1),
        delayWhen(({ atMs }) => timer(Math.max(0, atMs + dwellMs - scheduler.now()), scheduler)),
      ),
    );
    const done$ = race(settled$, overdue$, closed$).pipe(take(1), observeOn(scheduler));

    return link.subscriptions$.pipe(
      takeUntil(done$),
      tap(() => {
        isHeard = true;
      }),
      reduce((picture, rpc) => add(picture, rpc, acceptedDigests()), BLANK),
      map((picture) => conclude(visit, picture, acceptedDigests(), scheduler.now(), closing)),
      finalize(() => link.leave(isHeard ? 'visited' : 'unheard')),
    );
  }).pipe(
    catchError((error: unknown) =>
      of(visitFailed(visit, failure('subscriptions', 'unknown', String(error)), visit.agent)),
    ),
  );
}

/** Topics of subnets, whatever else is wrong with them. Topics of other kinds are nobody's business. */
const SUBNET_TOPIC = /beacon_attestation|sync_committee|data_column_sidecar/;

function add(picture: Picture, rpc: SubscriptionRpc, accepted: ReadonlySet<string>): Picture {
  const subnets = new Map(picture.subnets);
  const current = new Map(picture.current);
  const syncnets = new Set(picture.syncnets);
  const dataColumns = new Set(picture.dataColumns);
  let { oddTopic, oddDigest } = picture;
  for (const { topic, subscribe } of rpc.changes) {
    if (!subscribe) {
      current.delete(topic);
      continue;
    }
    const parsed = parseTopic(topic);
    if (parsed === null) oddTopic ??= SUBNET_TOPIC.test(topic) ? topic : null;
    else if (!accepted.has(parsed.digest)) oddDigest ??= parsed.kind === 'attestation' ? parsed.digest : null;
    else if (parsed.kind === 'attestation') {
      subnets.set(parsed.digest, new Set(subnets.get(parsed.digest)).add(parsed.subnet));
      current.set(topic, parsed);
    } else if (parsed.kind === 'sync') syncnets.add(parsed.subnet);
    else if (parsed.kind === 'data-column') dataColumns.add(parsed.subnet);
  }
  const dropped = picture.dropped + (rpc.dropped ?? 0);
  return {
    helloMs: picture.helloMs ?? rpc.atMs,
    subnets,
    current,
    syncnets,
    dataColumns,
    oddTopic,
    oddDigest,
    dropped,
  };
}

/** What was wrong with what the peer said of its topics. The rest of it counts all the same. */
function problemsOf({ subnets, oddTopic, oddDigest, dropped }: Picture): Failure[] {
  const problems: Failure[] = [];
  if (oddTopic !== null) problems.push(failure('subscriptions', 'bad_response', `topic ${printable(oddTopic)}`));
  if (oddDigest !== null && subnets.size === 0) {
    problems.push(failure('subscriptions', 'wrong_fork', `subnets under digest ${oddDigest} only`));
  }
  if (dropped > 0) problems.push(failure('subscriptions', 'resource_limited', `${dropped} topics too many`));
  return problems;
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80);
}

function conclude(
  visit: GreetedVisit,
  picture: Picture,
  accepted: ReadonlySet<string>,
  nowMs: number,
  closing: Failure | null,
): VisitOutcome<Observation> {
  const { link, listenAddress, ...learnt } = visit;
  const silent = picture.helloMs === null;
  const digest = countedDigest(picture, visit.status?.forkDigest, accepted);
  const current = [...picture.current.values()].filter((topic) => topic.digest === digest);
  const subscriptionsMissing = failure('subscriptions', closing?.cause ?? 'timeout', closing?.detail);
  if (silent && visit.status === null && visit.metaData === null) {
    // The first thing that went wrong tells more than the silence that followed.
    return visitFailed(
      visit,
      visit.missing.find(({ stage }) => stage === 'status') ?? subscriptionsMissing,
      visit.agent,
    );
  }
  return visitSucceeded({
    ...learnt,
    missing: silent ? [...visit.missing, subscriptionsMissing] : visit.missing,
    problems: problemsOf(picture),
    direction: link.direction,
    transport: link.transport,
    address: listenAddress ?? reachableAddress(link),
    subscribedSubnets: silent ? null : ascending(picture.subnets.get(digest) ?? new Set()),
    currentSubnets: silent ? null : ascending(new Set(current.map(({ subnet }) => subnet))),
    subscribedSyncnets: ascending(picture.syncnets),
    dataColumns: picture.dataColumns.size,
    // Not the hello's time: under load it is read long after it was composed, and the interval must contain that moment.
    observedFromMs: link.openedMs,
    observedToMs: nowMs,
  });
}

/**
 * The digest whose subnets are the peer's duties: that of its own Status, else the newest that it names. Topics of the other one
 * are left over from before a fork, or there for after it: a client may stay on them for hours.
 */
function countedDigest({ subnets }: Picture, ofStatus: string | undefined, accepted: ReadonlySet<string>): string {
  if (ofStatus !== undefined && subnets.has(ofStatus)) return ofStatus;
  return [...accepted].findLast((digest) => subnets.has(digest)) ?? '';
}

/** Of a peer that dialled us and listens nowhere only the IP address means anything: its port is of the moment. */
function reachableAddress({ address, direction }: PeerLink): string {
  return direction === 'inbound' ? address.replace(/\/(tcp|udp)\/\d+/, '/$1/0') : address;
}

function ascending(values: ReadonlySet<number>): number[] {
  return [...values].sort((a, b) => a - b);
}
