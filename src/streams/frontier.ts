import { type Observable, Subject } from 'rxjs';
import type { NodeRecord } from '../consensus/node-record.ts';
import type { DiscoveryAnswer, DiscoveryTarget } from './discovery.ts';
import type { PullSource } from './flow/pull.ts';

/** What a finished crawl round covered. */
export interface Coverage {
  /** Distinct nodes heard of, those included that do not say where their discv5 listens and cannot be asked. */
  readonly seen: number;
  readonly answered: number;
  /** Nodes that did not answer. */
  readonly silent: number;
  /** Nodes whose record carries a digest of our network. */
  readonly ours: number;
  /** Digests of the others with the number of nodes that carry them; `none` for records without `eth2`. */
  readonly otherDigests: Readonly<Record<string, number>>;
  readonly startedMs: number;
  readonly endedMs: number;
  /** Times that a node was left out because the frontier was full. */
  readonly dropped: number;
}

/** Whether a node is asked; one at a crowded place is not even remembered. */
export type AskVerdict = 'yes' | 'no' | 'crowded';

/**
 * The nodes of one crawl round that are still to be asked. Every node is asked once a round; the round ends when none
 * waits and none is being asked. A round that runs is not started again.
 */
export interface Frontier extends PullSource<DiscoveryTarget> {
  startRound(seeds: readonly DiscoveryTarget[], nowMs: number): boolean;
  /**
   * Takes in a node, if the running round has not met it. Between rounds nothing is taken in. False when the node was
   * turned away, because its place or the round is crowded.
   */
  add(record: NodeRecord, mayAsk?: (record: NodeRecord) => AskVerdict): boolean;
  answered(answer: DiscoveryAnswer, nowMs: number): void;
  readonly running: boolean;
  readonly waiting: number;
  /** Nodes turned away in this round. */
  readonly dropped: number;
  readonly rounds$: Observable<Coverage>;
}

/** Only a node that says where its discv5 listens can be asked. */
const askIfReachable = ({ udp }: NodeRecord): AskVerdict => (udp.length > 0 ? 'yes' : 'no');

/** More digests than any honest DHT shows; the rest are counted together. */
const MAX_DIGESTS = 256;

export function createFrontier(limits: { maxNodes: number; isOurs: (record: NodeRecord) => boolean }): Frontier {
  const { maxNodes, isOurs } = limits;
  const wake = new Subject<void>();
  const rounds = new Subject<Coverage>();
  const queue: DiscoveryTarget[] = [];
  const met = new Set<string>();
  /** Records and seeds arrive separately: a node counts as ours once its record was seen. */
  const counted = new Set<string>();
  const otherDigests = new Map<string, number>();
  let tally = { answered: 0, silent: 0, ours: 0, dropped: 0, asking: 0, startedMs: 0 };
  let running = false;

  /** False when the node was met before, or there is no room for it. */
  function meet(nodeId: string): boolean {
    if (met.has(nodeId)) return false;
    if (met.size >= maxNodes) {
      tally.dropped++;
      return false;
    }
    met.add(nodeId);
    return true;
  }

  function enqueue(target: DiscoveryTarget): void {
    queue.push(target);
    wake.next();
  }

  function count(record: NodeRecord): void {
    if (counted.has(record.nodeId) || !met.has(record.nodeId)) return;
    counted.add(record.nodeId);
    if (isOurs(record)) {
      tally.ours++;
      return;
    }
    const digest = record.eth2?.forkDigest ?? 'none';
    const key = otherDigests.has(digest) || otherDigests.size < MAX_DIGESTS ? digest : 'rest';
    otherDigests.set(key, (otherDigests.get(key) ?? 0) + 1);
  }

  function endWhenDone(nowMs: number): void {
    if (!running || queue.length > 0 || tally.asking > 0) return;
    running = false;
    const { answered, silent, ours, dropped, startedMs } = tally;
    rounds.next({
      seen: met.size,
      answered,
      silent,
      ours,
      dropped,
      otherDigests: Object.fromEntries(otherDigests),
      startedMs,
      endedMs: nowMs,
    });
  }

  return {
    startRound(seeds, nowMs) {
      if (running) return false;
      running = true;
      queue.length = 0;
      met.clear();
      counted.clear();
      otherDigests.clear();
      tally = { answered: 0, silent: 0, ours: 0, dropped: 0, asking: 0, startedMs: nowMs };
      for (const seed of seeds) if (meet(seed.nodeId)) enqueue(seed);
      endWhenDone(nowMs);
      return true;
    },
    add(record, mayAsk = askIfReachable) {
      if (!running) return true;
      if (!met.has(record.nodeId)) {
        const verdict = mayAsk(record);
        if (verdict === 'crowded') tally.dropped++;
        if (verdict === 'crowded' || !meet(record.nodeId)) return false;
        if (verdict === 'yes') enqueue({ nodeId: record.nodeId, enr: record.enr });
      }
      count(record);
      return true;
    },
    take() {
      const target = queue.shift();
      if (target === undefined) return null;
      tally.asking++;
      return target;
    },
    answered({ answer }, nowMs) {
      tally.asking--;
      if (answer.ok) tally.answered++;
      else tally.silent++;
      endWhenDone(nowMs);
    },
    nextDueMs: () => (queue.length > 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY),
    wake$: wake.asObservable(),
    rounds$: rounds.asObservable(),
    get running() {
      return running;
    },
    get waiting() {
      return queue.length;
    },
    get dropped() {
      return tally.dropped;
    },
  };
}
