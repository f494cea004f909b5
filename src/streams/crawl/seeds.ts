import type { PeerState } from '../../actors/peer.ts';
import { decodeNodeRecord, type NodeRecord } from '../../consensus/node-record.ts';
import type { DiscoveryTarget } from '../discovery.ts';

/** A round is seeded with the bootnodes and this many of the peers already known; their buckets hold the others. */
const MAX_KNOWN = 64;

/**
 * Whom a round begins with: the bootnodes, and peers that are well.
 *
 * @param declines whether we are to have nothing to do with a node
 */
export function createSeeds(
  bootnodes: readonly string[],
  declines: (record: NodeRecord) => boolean,
): (known: Iterable<Pick<PeerState, 'enr' | 'failures'>>) => DiscoveryTarget[] {
  function targetOf(enr: string): DiscoveryTarget[] {
    const decoded = decodeNodeRecord(enr);
    return decoded.ok && !declines(decoded.value) ? [{ nodeId: decoded.value.nodeId, enr }] : [];
  }

  const first = bootnodes.flatMap(targetOf);
  return (known) => {
    const others: DiscoveryTarget[] = [];
    for (const { enr, failures } of known) {
      if (others.length >= MAX_KNOWN) break;
      if (enr !== null && failures === 0) others.push(...targetOf(enr));
    }
    return [...first, ...others];
  };
}
