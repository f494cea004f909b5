import { map, type SchedulerLike } from 'rxjs';
import { answerWithin } from './flow/answer-within.ts';
import { type Depth, mergeBounded } from './flow/merge-bounded.ts';
import type { Dialer } from './ports/peer-link.ts';
import { type ConnectedVisit, type DueVisit, type Stage, visitFailed, visitSucceeded } from './visit.ts';

export interface StageLimits {
  readonly concurrency: number;
  readonly maxWaiting: number;
  readonly timeoutMs: number;
  readonly scheduler: SchedulerLike;
  readonly depth?: Depth;
}

/** Opens a connection to each due peer. */
export function dial(dialer: Pick<Dialer, 'dial'>, limits: StageLimits): Stage<DueVisit, ConnectedVisit> {
  return mergeBounded(
    (visit) =>
      answerWithin(() => dialer.dial(visit), { ...limits, stage: 'dial' }).pipe(
        map((outcome) =>
          outcome.ok
            ? visitSucceeded({ peerId: visit.peerId, lease: visit.lease, enr: visit.enr, link: outcome.value })
            : visitFailed(visit, outcome.failure),
        ),
      ),
    { ...limits, onOverflow: (visit) => visitFailed(visit, { stage: 'dial', cause: 'resource_limited' }) },
  );
}
