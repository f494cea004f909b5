import { type Observable, Subject } from 'rxjs';
import { type Failure, failure as failureOf } from '../../consensus/failure.ts';
import { decodeNodeRecord, type NodeRecord } from '../../consensus/node-record.ts';

/** Something wrong with a node's record or with what it told of others. */
export interface CrawlProblem {
  readonly peerId: string;
  readonly failure: Failure;
}

export interface CrawlProblems {
  readonly problems$: Observable<CrawlProblem>;
  /** Once a record: a crowded node is met again and again, and what is wrong with it stays the same. */
  nameOnce(node: Pick<NodeRecord, 'peerId' | 'enr'>, failure: Failure): void;
  /** Names a node that floods us with others. */
  blame(enr: string, detail: string): void;
}

/** @param maxNamed records that are remembered to have been named; beyond it all are forgotten */
export function createCrawlProblems(maxNamed: number): CrawlProblems {
  const problems = new Subject<CrawlProblem>();
  const named = new Set<string>();

  return {
    problems$: problems.asObservable(),
    nameOnce({ peerId, enr }, failure) {
      if (named.has(enr)) return;
      if (named.size >= maxNamed) named.clear();
      named.add(enr);
      problems.next({ peerId, failure });
    },
    blame(enr, detail) {
      const decoded = decodeNodeRecord(enr);
      if (!decoded.ok) return;
      problems.next({ peerId: decoded.value.peerId, failure: failureOf('resolve', 'resource_limited', detail) });
    },
  };
}
