import { createFailureTally, type FailureCount } from './failure-tally.ts';
import type { Observation, VisitFailure } from './visit.ts';

export interface VisitCounts {
  /** Distinct peers observed since the epoch began. */
  readonly observedThisEpoch: number;
  readonly observed: number;
  /** Visits of which nothing was learnt. */
  readonly failed: number;
  /** Everything that went wrong, with visits, parts of visits and records. */
  readonly failures: readonly FailureCount[];
  /** Inbound connections that found no slot. */
  readonly turnedAway: number;
}

/** What became of visits. It outlives a pipeline that is started again, so that what it counts never goes back. */
export interface VisitTally {
  observed(observation: Pick<Observation, 'peerId' | 'agent' | 'missing' | 'problems'>): void;
  failed(failure: VisitFailure): void;
  /** Something went wrong that no visit was needed for. */
  problem(failure: VisitFailure): void;
  turnedAway(): void;
  beginEpoch(): void;
  counts(): VisitCounts;
}

export function createVisitTally(): VisitTally {
  const failures = createFailureTally();
  const observedNow = new Set<string>();
  let observed = 0;
  let failed = 0;
  let turnedAway = 0;

  return {
    observed({ peerId, agent, missing, problems }) {
      for (const failure of [...missing, ...problems]) failures.add({ failure, agent });
      observedNow.add(peerId);
      observed++;
    },
    failed(failure) {
      failures.add(failure);
      failed++;
    },
    problem: failures.add,
    turnedAway() {
      turnedAway++;
    },
    beginEpoch: () => observedNow.clear(),
    counts: () => ({
      observedThisEpoch: observedNow.size,
      observed,
      failed,
      failures: failures.counts(),
      turnedAway,
    }),
  };
}
