import { catchError, map, of, type SchedulerLike, timeout } from 'rxjs';
import { failed } from '../consensus/failure.ts';
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
  const { timeoutMs, scheduler } = limits;
  return mergeBounded(
    (visit) =>
      dialer.dial(visit).pipe(
        timeout({
          first: timeoutMs,
          scheduler,
          with: () => of(failed('dial', 'timeout', `no connection in ${timeoutMs} ms`)),
        }),
        catchError((error: unknown) => of(failed('dial', 'unknown', String(error)))),
        map((outcome) =>
          outcome.ok
            ? visitSucceeded({ peerId: visit.peerId, enr: visit.enr, link: outcome.value })
            : visitFailed(visit.peerId, outcome.failure),
        ),
      ),
    { ...limits, onOverflow: (visit) => visitFailed(visit.peerId, { stage: 'dial', cause: 'resource_limited' }) },
  );
}
