import { type Observable, Subject } from 'rxjs';
import type { NodeRecord } from '../../consensus/node-record.ts';
import type { AskVerdict } from '../admission.ts';
import type { DiscoveryAnswer, DiscoveryTarget } from '../discovery.ts';
import type { PullSource } from '../flow/pull.ts';
import type { Coverage } from './coverage.ts';
import { createRound, type Meeting, type Round } from './round.ts';

/**
 * The nodes of one crawl round that are still to be asked. Every node is asked once a round; the round ends when none
 * waits and none is being asked. A round that runs is not started again.
 */
export interface Frontier extends PullSource<DiscoveryTarget> {
  startRound(seeds: readonly DiscoveryTarget[], nowMs: number): boolean;
  /**
   * Takes in a node, if the running round has not met it. Between rounds nothing is taken in, and nobody is turned away:
   * in a round that is because its place or the round is crowded.
   */
  add(record: NodeRecord, mayAsk?: (record: NodeRecord) => AskVerdict): Meeting;
  answered(answer: DiscoveryAnswer, nowMs: number): void;
  readonly running: boolean;
  readonly waiting: number;
  readonly rounds$: Observable<Coverage>;
}

export interface FrontierOptions {
  /** Nodes met in one round. */
  readonly maxNodes: number;
  readonly isOurs: (record: NodeRecord) => boolean;
}

/** Only a node that says where its discv5 listens can be asked. */
const askIfReachable = ({ udp }: NodeRecord): AskVerdict => (udp.length > 0 ? 'yes' : 'no');

export function createFrontier(options: FrontierOptions): Frontier {
  const wake = new Subject<void>();
  const rounds = new Subject<Coverage>();
  /** The one that runs, or ran last. */
  let round: Round = createRound({ ...options, startedMs: 0 });
  let running = false;

  function endWhenDone(nowMs: number): void {
    if (!running || !round.isOver) return;
    running = false;
    rounds.next(round.coverage(nowMs));
  }

  return {
    startRound(seeds, nowMs) {
      if (running) return false;
      running = true;
      round = createRound({ ...options, startedMs: nowMs });
      for (const seed of seeds) if (round.seed(seed)) wake.next();
      endWhenDone(nowMs);
      return true;
    },
    add(record, mayAsk = askIfReachable) {
      if (!running) return 'met';
      const meeting = round.meet(record, mayAsk);
      if (meeting === 'to-ask') wake.next();
      return meeting;
    },
    take: () => round.take(),
    answered({ answer }, nowMs) {
      round.heard(answer.ok);
      endWhenDone(nowMs);
    },
    nextDueMs: () => (round.waiting > 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY),
    wake$: wake.asObservable(),
    rounds$: rounds.asObservable(),
    get running() {
      return running;
    },
    get waiting() {
      return round.waiting;
    },
  };
}
