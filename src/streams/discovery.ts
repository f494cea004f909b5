import { map, type OperatorFunction } from 'rxjs';
import { failed, type Outcome } from '../consensus/failure.ts';
import type { StageLimits } from './dial.ts';
import { answerWithin } from './flow/answer-within.ts';
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
  return mergeBounded(
    (target: DiscoveryTarget) =>
      answerWithin(() => port.neighbours(target.enr), { ...limits, stage: 'resolve' }).pipe(
        map((answer) => ({ target, answer })),
      ),
    { ...limits, onOverflow: (target) => ({ target, answer: failed('resolve', 'resource_limited') }) },
  );
}
