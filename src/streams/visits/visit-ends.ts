import { concatMap, filter, interval, map, type Observable, type SchedulerLike } from 'rxjs';
import type { NetworkClock } from '../../consensus/clock.ts';
import { failure } from '../../consensus/failure.ts';
import type { Happening } from '../happening.ts';
import { GOODBYE } from '../ports/peer-link.ts';
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
  readonly tally: Pick<VisitTally, 'observed' | 'failed'>;
  readonly clock: NetworkClock;
  readonly scheduler: Pick<SchedulerLike, 'now'>;
}

export function createVisitEnds({ ledger, send, tally, clock, scheduler }: VisitEndsOptions): VisitEnds {
  return {
    observed(observation) {
      if (ledger.end(observation) === null) return null;
      const { peerId, agent, observedFromMs } = observation;
      send(peerId, { type: 'observed', nowMs: scheduler.now(), epoch: clock.epochAt(observedFromMs), agent });
      tally.observed(observation);
      return { type: 'observed', observation };
    },
    failed(failed) {
      const visit = ledger.end(failed);
      if (visit === null) return null;
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
      link?.hangUp(GOODBYE.clientShutdown);
      return ends.failed({ peerId, lease, failure: failure('record', 'cancelled', 'no stage ended the visit') });
    }),
    filter((happening) => happening !== null),
  );
}
