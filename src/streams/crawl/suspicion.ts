import type { DiscoveryAnswer } from '../discovery.ts';
import type { CrawlProblems } from './crawl-problems.ts';
import { createTellers, SILENT_IN_A_ROW } from './tellers.ts';

/** Which nodes flood us with others, or make them up. Whoever does is named. */
export interface Suspicion {
  /** Forgets who told of whom: a new round begins. */
  beginRound(): void;
  /** The node with the record `teller` was the first to tell of a node that will be asked. */
  told(teller: string, nodeId: string): void;
  /** Judges an answer; so many of the nodes that it told of were turned away. */
  judge(answer: DiscoveryAnswer, turnedAway: number): void;
}

/** A node that tells of so many others at crowded places in one answer is making them up. */
const CROWDED_ANSWER = 16;

export function createSuspicion(blame: CrawlProblems['blame']): Suspicion {
  const tellers = createTellers();

  return {
    beginRound: tellers.beginRound,
    told: tellers.told,
    judge({ target, answer }, turnedAway) {
      if (answer.ok && turnedAway >= CROWDED_ANSWER) {
        blame(target.enr, `${turnedAway} of ${answer.value.records.length} nodes it told of are at crowded places`);
      }
      const inventor = tellers.heard(target.nodeId, answer.ok);
      if (inventor !== null) blame(inventor, `none of ${SILENT_IN_A_ROW} nodes that it alone told of has answered`);
    },
  };
}
