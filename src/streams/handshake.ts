import { combineLatest, concatMap, map, type Observable, of, race } from 'rxjs';
import type { MetaData, Status } from '../consensus/containers.ts';
import { failed, failure, type Outcome, type Stage as VisitStage } from '../consensus/failure.ts';
import type { StageLimits } from './dial.ts';
import { answerWithin } from './flow/answer-within.ts';
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
      return visitFailed(visit, failure('status', 'resource_limited'));
    },
  });
}

function greet(visit: ConnectedVisit, options: HandshakeOptions): Observable<VisitOutcome<GreetedVisit>> {
  const { link } = visit;
  const own = options.ownStatus();
  const identity$ = ask(() => link.identify(), link, 'identify', options);
  const exchange$ = ask(() => link.status(own), link, 'status', options).pipe(
    concatMap((status) => {
      // Judged once: the accepted digests may change before the visit ends.
      const digest = status.ok ? status.value.forkDigest : null;
      const foreignDigest = digest === null || options.acceptedDigests().has(digest) ? null : digest;
      return foreignDigest !== null
        ? of({ status, foreignDigest, metaData: failed<MetaData>('metadata', 'cancelled') })
        : ask(() => link.metaData(), link, 'metadata', options).pipe(
            map((metaData) => ({ status, foreignDigest: null, metaData })),
          );
    }),
  );

  return combineLatest([identity$, exchange$]).pipe(
    map(([identity, { status, foreignDigest, metaData }]) => {
      const agent = identity.ok ? identity.value.agent : null;
      if (foreignDigest !== null) {
        link.hangUp(GOODBYE.irrelevantNetwork);
        return visitFailed(visit, failure('status', 'wrong_fork', `fork digest ${foreignDigest}`), agent);
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

/** One answer of the peer, its closing of the connection, or the end of our patience, whichever comes first. */
function ask<T>(
  question: () => Observable<Outcome<T>>,
  link: PeerLink,
  stage: VisitStage,
  limits: StageLimits,
): Observable<Outcome<T>> {
  const closed$ = link.closed$.pipe(map(({ cause, detail }) => failed<T>(stage, cause, detail)));
  return answerWithin(() => race(question(), closed$), { ...limits, stage });
}

function learnt<T>(outcome: Outcome<T>): T | null {
  return outcome.ok ? outcome.value : null;
}
