import { catchError, combineLatest, concatMap, map, type Observable, of, race, take, timeout } from 'rxjs';
import type { Status } from '../consensus/containers.ts';
import { type Failure, failed, failure, type Outcome, type Stage as VisitStage } from '../consensus/failure.ts';
import type { StageLimits } from './dial.ts';
import { mergeBounded } from './flow/merge-bounded.ts';
import { GOODBYE, type PeerLink } from './ports/peer-link.ts';
import {
  type ConnectedVisit,
  type GreetedVisit,
  type Stage,
  type VisitOutcome,
  visitFailed,
  visitSucceeded,
} from './visit.ts';

export interface HandshakeOptions extends StageLimits {
  /** What we say of our own chain, now. */
  readonly ownStatus: () => Status;
  /** Digests that count as our network, now. */
  readonly acceptedDigests: () => ReadonlySet<string>;
}

/**
 * Exchanges identify, Status and then MetaData. Only a peer on another fork fails here: of all others what was learnt is
 * passed on with what is missing, since a peer that sent nothing but its subscriptions has still been observed.
 */
export function handshake(options: HandshakeOptions): Stage<ConnectedVisit, GreetedVisit> {
  return mergeBounded((visit) => greet(visit, options), {
    ...options,
    onOverflow: (visit) => {
      visit.link.hangUp(GOODBYE.clientShutdown);
      return visitFailed(visit.peerId, failure('status', 'resource_limited'));
    },
  });
}

function greet(visit: ConnectedVisit, options: HandshakeOptions): Observable<VisitOutcome<GreetedVisit>> {
  const { link } = visit;
  const identity$ = bounded(link.identify(), link, 'identify', options);
  const exchange$ = bounded(link.status(options.ownStatus()), link, 'status', options).pipe(
    concatMap((status) =>
      isForeign(status, options)
        ? of({ status, metaData: failed('metadata', 'cancelled') })
        : bounded(link.metaData(), link, 'metadata', options).pipe(map((metaData) => ({ status, metaData }))),
    ),
  );

  return combineLatest([identity$, exchange$]).pipe(
    map(([identity, { status, metaData }]) => {
      const agent = identity.ok ? identity.value.agent : null;
      if (status.ok && isForeign(status, options)) {
        link.hangUp(GOODBYE.irrelevantNetwork);
        return visitFailed(
          visit.peerId,
          failure('status', 'wrong_fork', `fork digest ${status.value.forkDigest}`),
          agent,
        );
      }
      return visitSucceeded({
        ...visit,
        agent,
        status: learnt(status),
        metaData: learnt(metaData),
        missing: [identity, status, metaData].flatMap((outcome) => (outcome.ok ? [] : [outcome.failure])),
      });
    }),
  );
}

function isForeign(status: Outcome<Status>, { acceptedDigests }: HandshakeOptions): boolean {
  return status.ok && !acceptedDigests().has(status.value.forkDigest);
}

/** One answer of the peer, its closing of the connection, or the end of our patience, whichever comes first. */
function bounded<T>(
  answer$: Observable<Outcome<T>>,
  link: PeerLink,
  stage: VisitStage,
  { timeoutMs, scheduler }: StageLimits,
): Observable<Outcome<T>> {
  const closed$ = link.closed$.pipe(map((reason: Failure) => failed<T>(stage, reason.cause, reason.detail)));
  return race(answer$, closed$).pipe(
    take(1),
    timeout({
      first: timeoutMs,
      scheduler,
      with: () => of(failed<T>(stage, 'timeout', `no answer in ${timeoutMs} ms`)),
    }),
    catchError((error: unknown) => of(failed<T>(stage, 'unknown', String(error)))),
  );
}

function learnt<T>(outcome: Outcome<T>): T | null {
  return outcome.ok ? outcome.value : null;
}
