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
import { GOODBYE, type SubscriptionRpc } from './ports/peer-link.ts';
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
  readonly subnets: ReadonlySet<number>;
  readonly syncnets: ReadonlySet<number>;
  readonly dataColumns: ReadonlySet<number>;
}

const BLANK: Picture = { helloMs: null, subnets: new Set(), syncnets: new Set(), dataColumns: new Set() };

/**
 * Watches the subscriptions of a greeted peer until they settle, then ends the visit and hangs up. A peer of which
 * nothing at all was learnt is a failure, any other an observation.
 */
export function gossipProbe(options: GossipProbeOptions): Stage<GreetedVisit, Observation> {
  return mergeBounded((visit) => watch(visit, options), {
    ...options,
    onOverflow: (visit) => {
      visit.link.hangUp(GOODBYE.clientShutdown);
      return visitFailed(visit, failure('subscriptions', 'resource_limited'), visit.agent);
    },
  });
}

function watch(visit: GreetedVisit, options: GossipProbeOptions): Observable<VisitOutcome<Observation>> {
  const { link } = visit;
  const { settleMs, dwellMs, timeoutMs, scheduler, acceptedDigests } = options;

  return defer(() => {
    let closing: Failure | null = null;
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
      reduce((picture, rpc) => add(picture, rpc, acceptedDigests()), BLANK),
      map((picture) => conclude(visit, picture, scheduler.now(), closing)),
    );
  }).pipe(
    catchError((error: unknown) =>
      of(visitFailed(visit, failure('subscriptions', 'unknown', String(error)), visit.agent)),
    ),
    finalize(() => link.hangUp(GOODBYE.clientShutdown)),
  );
}

function add(picture: Picture, { atMs, changes }: SubscriptionRpc, accepted: ReadonlySet<string>): Picture {
  const subnets = new Set(picture.subnets);
  const syncnets = new Set(picture.syncnets);
  const dataColumns = new Set(picture.dataColumns);
  for (const { topic, subscribe } of changes) {
    const parsed = subscribe ? parseTopic(topic) : null;
    if (parsed === null || !accepted.has(parsed.digest)) continue;
    if (parsed.kind === 'attestation') subnets.add(parsed.subnet);
    if (parsed.kind === 'sync') syncnets.add(parsed.subnet);
    if (parsed.kind === 'data-column') dataColumns.add(parsed.subnet);
  }
  return { helloMs: picture.helloMs ?? atMs, subnets, syncnets, dataColumns };
}

function conclude(
  visit: GreetedVisit,
  picture: Picture,
  nowMs: number,
  closing: Failure | null,
): VisitOutcome<Observation> {
  const { link, ...learnt } = visit;
  const silent = picture.helloMs === null;
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
    direction: link.direction,
    transport: link.transport,
    address: link.address,
    subscribedSubnets: silent ? null : ascending(picture.subnets),
    subscribedSyncnets: ascending(picture.syncnets),
    dataColumns: picture.dataColumns.size,
    // Not the hello's time: under load it is read long after it was composed, and the interval must contain that moment.
    observedFromMs: link.openedMs,
    observedToMs: nowMs,
  });
}

function ascending(values: ReadonlySet<number>): number[] {
  return [...values].sort((a, b) => a - b);
}
