import type { NodeRecord } from '../../consensus/node-record.ts';

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

/** The forks of the nodes of one round, each node counted once. */
export interface ForkTally {
  count(record: NodeRecord): void;
  counts(): Pick<Coverage, 'ours' | 'otherDigests'>;
}

/** More digests than any honest DHT shows; the rest are counted together. */
const MAX_DIGESTS = 256;

export function createForkTally(isOurs: (record: NodeRecord) => boolean): ForkTally {
  const counted = new Set<string>();
  const otherDigests = new Map<string, number>();
  let ours = 0;

  return {
    count(record) {
      if (counted.has(record.nodeId)) return;
      counted.add(record.nodeId);
      if (isOurs(record)) {
        ours++;
        return;
      }
      const digest = record.eth2?.forkDigest ?? 'none';
      const key = otherDigests.has(digest) || otherDigests.size < MAX_DIGESTS ? digest : 'rest';
      otherDigests.set(key, (otherDigests.get(key) ?? 0) + 1);
    },
    counts: () => ({ ours, otherDigests: Object.fromEntries(otherDigests) }),
  };
}
