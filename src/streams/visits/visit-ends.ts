import { concatMap, filter, interval, map, type Observable, type SchedulerLike } from 'rxjs';
import type { PeerState } from '../../actors/peer.ts';
import type { Registry } from '../../actors/registry.ts';
import { clientOf } from '../../consensus/client.ts';
import type { NetworkClock } from '../../consensus/clock.ts';
import { failure } from '../../consensus/failure.ts';
import { refusedBy } from '../../consensus/manners/refused.ts';
import type { Happening } from '../happening.ts';
import type { Observation, VisitFailure } from '../visit.ts';
import type { VisitTally } from '../visit-tally.ts';
import type { Send } from './peers.ts';
import type { VisitLedger } from './visit-ledger.ts';

/**
 * The end of a visit: its slot is given back, the peer hears of the outcome, and it is counted. `null` when the visit has
 * ended before.
 */
export interface VisitEnds {
  observed(observation: Observation): Happening | null;
  failed(failed: VisitFailure): Happening | null;
}

export interface VisitEndsOptions {
  readonly ledger: Pick<VisitLedger, 'end'>;
  readonly send: Send;
  readonly registry: Pick<Registry, 'get'>;
  readonly tally: Pick<VisitTally, 'observed' | 'failed'>;
  readonly clock: NetworkClock;
  readonly scheduler: Pick<SchedulerLike, 'now'>;
}

export function createVisitEnds({ ledger, send, registry, tally, clock, scheduler }: VisitEndsOptions): VisitEnds {
  return {
    observed(observation) {
      if (ledger.end(observation) === null) return null;
      const { peerId, agent, observedFromMs } = observation;
      send(peerId, { type: 'observed', nowMs: scheduler.now(), epoch: clock.epochAt(observedFromMs), agent });
      tally.observed(observation);
      return { type: 'observed', observation };
    },
    failed(told) {
      const visit = ledger.end(told);
      if (visit === null) return null;
      const failed = withWhatIsKnown(told, registry.get(told.peerId));
      send(failed.peerId, {
        type: 'failed',
        failure: failed.failure,
        dialed: visit.addresses,
        nowMs: scheduler.now(),
        epochMs: clock.epochMs,
      });
      tally.failed(failed);
      return { type: 'failed', failure: failed };
    },
  };
}

/** The client that a peer was before counts when it got no further this time, and tells what its refusal means. */
function withWhatIsKnown(failed: VisitFailure, peer: PeerState | undefined): VisitFailure {
  if (peer === undefined) return failed;
  const agent = failed.agent ?? peer.agent;
  const { observations, failures } = peer;
  const refusal = refusedBy(failed.failure, { client: clientOf(agent ?? ''), observations, failures });
  return { ...failed, agent, failure: refusal };
}

export interface GivingUpOptions {
  readonly ledger: Pick<VisitLedger, 'overdue'>;
  readonly ends: Pick<VisitEnds, 'failed'>;
  /** A visit that no stage has ended after this is given up. */
  readonly visitMs: number;
  readonly scheduler: SchedulerLike;
}

const SWEEP_MS = 1_000;

/** Ends visits that no stage ends, and their connections. Never completes. */
export function givingUp({ ledger, ends, visitMs, scheduler }: GivingUpOptions): Observable<Happening> {
  return interval(SWEEP_MS, scheduler).pipe(
    concatMap(() => ledger.overdue(scheduler.now() - visitMs)),
    map(({ link, peerId, lease }) => {
      link?.leave('given-up');
      return ends.failed({ peerId, lease, failure: failure('record', 'cancelled', 'no stage ended the visit') });
    }),
    filter((happening) => happening !== null),
  );
}
