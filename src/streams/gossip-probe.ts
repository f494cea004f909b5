import {
  catchError,
  debounceTime,
  defer,
  finalize,
  map,
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
import { GOODBYE, type SubscriptionChange } from './ports/peer-link.ts';
import {
  type GreetedVisit,
  type Observation,
  type Stage,
  type VisitOutcome,
  visitFailed,
  visitSucceeded,
} from './visit.ts';

export interface GossipProbeOptions extends Omit<StageLimits, 'timeoutMs'> {
  /** The picture has settled when the peer's subscriptions have not changed for this long. */
  readonly settleMs: number;
  /** The probe lasts no longer than this, settled or not. */
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
      return visitFailed(visit.peerId, failure('subscriptions', 'resource_limited'), visit.agent);
    },
  });
}

function watch(visit: GreetedVisit, options: GossipProbeOptions): Observable<VisitOutcome<Observation>> {
  const { link } = visit;
  const { settleMs, dwellMs, scheduler, acceptedDigests } = options;

  return defer(() => {
    let closing: Failure | null = null;
    const closed$ = link.closed$.pipe(
      tap((reason) => {
        closing = reason;
      }),
    );
    const settled$ = link.subscriptions$.pipe(debounceTime(settleMs, scheduler));
    // A connection that is already closed must not end the watch before what it said has been replayed.
    const done$ = race(settled$, timer(dwellMs, scheduler), closed$).pipe(take(1), observeOn(scheduler));

    return link.subscriptions$.pipe(
      takeUntil(done$),
      reduce((picture, change) => add(picture, change, acceptedDigests()), BLANK),
      map((picture) => conclude(visit, picture, scheduler.now(), closing)),
    );
  }).pipe(
    catchError((error: unknown) =>
      of(visitFailed(visit.peerId, failure('subscriptions', 'unknown', String(error)), visit.agent)),
    ),
    finalize(() => link.hangUp(GOODBYE.clientShutdown)),
  );
}

function add(picture: Picture, { topic, subscribe, atMs }: SubscriptionChange, accepted: ReadonlySet<string>): Picture {
  const helloMs = picture.helloMs ?? atMs;
  const parsed = subscribe ? parseTopic(topic) : null;
  if (parsed === null || parsed.kind === 'other' || !accepted.has(parsed.digest)) return { ...picture, helloMs };
  switch (parsed.kind) {
    case 'attestation':
      return { ...picture, helloMs, subnets: new Set(picture.subnets).add(parsed.subnet) };
    case 'sync':
      return { ...picture, helloMs, syncnets: new Set(picture.syncnets).add(parsed.subnet) };
    case 'data-column':
      return { ...picture, helloMs, dataColumns: new Set(picture.dataColumns).add(parsed.subnet) };
  }
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
      visit.peerId,
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
    observedFromMs: picture.helloMs ?? link.openedMs,
    observedToMs: nowMs,
  });
}

function ascending(values: ReadonlySet<number>): number[] {
  return [...values].sort((a, b) => a - b);
}
