import { type Client, clientOf } from '../consensus/client.ts';
import type { Cause, Stage } from '../consensus/failure.ts';
import type { VisitFailure } from './visit.ts';

export interface FailureCount {
  readonly stage: Stage;
  readonly cause: Cause;
  readonly client: Client;
  readonly count: number;
}

/** Failures by stage, cause and client: closed lists all three, so the table cannot grow without bound. */
export interface FailureTally {
  add(failure: Pick<VisitFailure, 'failure' | 'agent'>): void;
  counts(): FailureCount[];
  readonly total: number;
}

export function createFailureTally(): FailureTally {
  const counts = new Map<string, FailureCount>();
  let total = 0;
  return {
    add({ failure: { stage, cause }, agent }) {
      const client = clientOf(agent ?? '');
      const key = `${stage}/${cause}/${client}`;
      counts.set(key, { stage, cause, client, count: (counts.get(key)?.count ?? 0) + 1 });
      total++;
    },
    counts: () => [...counts.values()].sort((a, b) => b.count - a.count),
    get total() {
      return total;
    },
  };
}
