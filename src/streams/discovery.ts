import { catchError, map, type Observable, type OperatorFunction, of, timeout } from 'rxjs';
import { failed, type Outcome } from '../consensus/failure.ts';
import type { StageLimits } from './dial.ts';
import { mergeBounded } from './flow/merge-bounded.ts';
import type { Discovery, NeighbourAnswer } from './ports/discovery.ts';

/** A node whose buckets are to be read. */
export interface DiscoveryTarget {
  readonly nodeId: string;
  readonly enr: string;
}

export interface DiscoveryAnswer {
  readonly target: DiscoveryTarget;
  readonly answer: Outcome<NeighbourAnswer>;
}

export type DiscoveryStage = OperatorFunction<DiscoveryTarget, DiscoveryAnswer>;

/** Reads the buckets of each target over discv5 and passes on what they hold. */
export function discovery(port: Pick<Discovery, 'neighbours'>, limits: StageLimits): DiscoveryStage {
  const { timeoutMs, scheduler } = limits;
  const answerOf = (target: DiscoveryTarget): Observable<DiscoveryAnswer> =>
    port.neighbours(target.enr).pipe(
      timeout({ first: timeoutMs, scheduler, with: () => of(failed<NeighbourAnswer>('resolve', 'timeout')) }),
      catchError((error: unknown) => of(failed<NeighbourAnswer>('resolve', 'unknown', String(error)))),
      map((answer) => ({ target, answer })),
    );
  return mergeBounded(answerOf, {
    ...limits,
    onOverflow: (target) => ({ target, answer: failed('resolve', 'resource_limited') }),
  });
}
