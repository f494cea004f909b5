import TinyQueue from 'tinyqueue';
import type { PeerState } from './peer.ts';

/** Numbers that are compared one after the other; the smaller rank comes first. */
export type Rank = readonly number[];

/** The records of peers in an order of their own: to put one in its place and to find the first takes logarithmic time. */
export interface PeerQueue {
  /** Takes note of a record as it is now. Says whether the peer has got a place that it had not before. */
  noted(before: PeerState | undefined, after: PeerState): boolean;
  first(): PeerState | undefined;
}

/** Places that nobody has any more are swept out when there are more than this many a peer. */
const MAX_PLACES_PER_PEER = 4;
const MIN_PLACES_TO_SWEEP = 1_024;

interface Place {
  readonly peerId: string;
  readonly rank: Rank;
}

/** @param rankOf depends on the record alone; `null` for a peer that has no place in the queue */
export function createPeerQueue(
  records: ReadonlyMap<string, PeerState>,
  rankOf: (peer: PeerState) => Rank | null,
): PeerQueue {
  /** With places that peers have left: those are skipped. */
  let places = new TinyQueue<Place>([], byRank);

  function sweep(): void {
    const taken = [...records.values()].flatMap((peer) => {
      const rank = rankOf(peer);
      return rank === null ? [] : [{ peerId: peer.peerId, rank }];
    });
    places = new TinyQueue(taken, byRank);
  }

  return {
    noted(before, after) {
      const rank = rankOf(after);
      const was = before === undefined ? null : rankOf(before);
      if (rank === null || (was !== null && compare(rank, was) === 0)) return false;
      places.push({ peerId: after.peerId, rank });
      if (places.length > MIN_PLACES_TO_SWEEP + MAX_PLACES_PER_PEER * records.size) sweep();
      return true;
    },
    first() {
      for (let head = places.peek(); head !== undefined; head = places.peek()) {
        const peer = records.get(head.peerId);
        const rank = peer === undefined ? null : rankOf(peer);
        if (rank !== null && compare(rank, head.rank) === 0) return peer;
        places.pop();
      }
      return undefined;
    },
  };
}

function byRank(a: Place, b: Place): number {
  return compare(a.rank, b.rank);
}

function compare(a: Rank, b: Rank): number {
  for (let index = 0; index < a.length; index++) {
    const [value = 0, other = 0] = [a[index], b[index]];
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
}
