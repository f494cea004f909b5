import type { NodeRecord } from '../../consensus/node-record.ts';
import type { AskVerdict } from '../admission.ts';
import type { DiscoveryTarget } from '../discovery.ts';
import { type Coverage, createForkTally } from './coverage.ts';

/** What became of a node that a round has met: it waits to be asked, it is met and no more, or there is no room for it. */
export type Meeting = 'to-ask' | 'met' | 'turned-away';

/** One walk over the DHT: the nodes it has met, and those of them that are still to be asked, each once. */
export interface Round {
  /** Takes in a node to begin with, which is asked whatever its record says; false when it was met before. */
  seed(target: DiscoveryTarget): boolean;
  meet(record: NodeRecord, mayAsk: (record: NodeRecord) => AskVerdict): Meeting;
  /** The next one to be asked, in the order of meeting; `null` when none waits. */
  take(): DiscoveryTarget | null;
  /** One of those taken has answered, or has not in time. */
  heard(answered: boolean): void;
  readonly waiting: number;
  /** Whether it has met everybody: none waits, and none is being asked whose answer may hold more. */
  readonly isOver: boolean;
  coverage(endedMs: number): Coverage;
}

export interface RoundOptions {
  readonly maxNodes: number;
  readonly isOurs: (record: NodeRecord) => boolean;
  readonly startedMs: number;
}

export function createRound({ maxNodes, isOurs, startedMs }: RoundOptions): Round {
  const queue: DiscoveryTarget[] = [];
  const met = new Set<string>();
  /** Records and seeds arrive separately: a node has a fork once its record was seen. */
  const forks = createForkTally(isOurs);
  let asking = 0;
  let answered = 0;
  let silent = 0;
  let dropped = 0;

  function turnAway(): 'turned-away' {
    dropped++;
    return 'turned-away';
  }

  /** Of a node that was not met before. */
  function enter({ nodeId, enr }: DiscoveryTarget, isAsked: boolean): Meeting {
    if (met.size >= maxNodes) return turnAway();
    met.add(nodeId);
    if (isAsked) queue.push({ nodeId, enr });
    return isAsked ? 'to-ask' : 'met';
  }

  function meet(record: NodeRecord, mayAsk: (record: NodeRecord) => AskVerdict): Meeting {
    if (met.has(record.nodeId)) return 'met';
    const verdict = mayAsk(record);
    return verdict === 'crowded' ? turnAway() : enter(record, verdict === 'yes');
  }

  return {
    seed: (target) => !met.has(target.nodeId) && enter(target, true) === 'to-ask',
    meet(record, mayAsk) {
      const meeting = meet(record, mayAsk);
      if (meeting !== 'turned-away') forks.count(record);
      return meeting;
    },
    take() {
      const target = queue.shift();
      if (target === undefined) return null;
      asking++;
      return target;
    },
    heard(hasAnswered) {
      asking--;
      if (hasAnswered) answered++;
      else silent++;
    },
    get waiting() {
      return queue.length;
    },
    get isOver() {
      return queue.length === 0 && asking <= 0;
    },
    coverage: (endedMs) => ({ seen: met.size, answered, silent, dropped, ...forks.counts(), startedMs, endedMs }),
  };
}
