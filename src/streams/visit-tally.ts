import type { Client } from '../consensus/client.ts';
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
  /** Connections from peers that began no visit. */
  readonly turnedAway: readonly TurnedAwayCount[];
}

/** Why a connection that a peer began is no visit at once. */
export const TURNED_AWAY = ['observed', 'in-flight', 'no-slot', 'no-room', 'paused', 'opted-out'] as const;
export type TurnedAway = (typeof TURNED_AWAY)[number];

export interface TurnedAwayCount {
  readonly client: Client;
  readonly reason: TurnedAway;
  readonly count: number;
}

/** What became of visits. It outlives a pipeline that is started again, so that what it counts never goes back. */
export interface VisitTally {
  observed(observation: Pick<Observation, 'peerId' | 'agent' | 'missing' | 'problems'>): void;
  failed(failure: VisitFailure): void;
  /** Something went wrong that no visit was needed for. */
  problem(failure: VisitFailure): void;
  turnedAway(client: Client, reason: TurnedAway): void;
  beginEpoch(): void;
  counts(): VisitCounts;
}

export function createVisitTally(): VisitTally {
  const failures = createFailureTally();
  const observedNow = new Set<string>();
  let observed = 0;
  let failed = 0;
  const turnedAway = new Map<string, TurnedAwayCount>();

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
    turnedAway(client, reason) {
      const key = `${client}/${reason}`;
      turnedAway.set(key, { client, reason, count: (turnedAway.get(key)?.count ?? 0) + 1 });
    },
    beginEpoch: () => observedNow.clear(),
    counts: () => ({
      observedThisEpoch: observedNow.size,
      observed,
      failed,
      failures: failures.counts(),
      turnedAway: [...turnedAway.values()],
    }),
  };
}
