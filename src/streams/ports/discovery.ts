import type { Observable } from 'rxjs';
import type { Outcome } from '../../consensus/failure.ts';
import type { NodeRecord } from '../../consensus/node-record.ts';

/** The discv5 DHT. */
export interface Discovery {
  /**
   * Asks one node for the records in its buckets, from the farthest inwards, until it has no more to tell. Emits once
   * and completes; never errors; unsubscribing gives up.
   */
  neighbours(enr: string): Observable<Outcome<NeighbourAnswer>>;
  /** The record of a peer, from what was heard or by asking around; `null` when nobody has it. Emits once, never errors. */
  find(peerId: string): Observable<string | null>;
  /** Records of nodes that came to us unasked, by their requests or their sessions. */
  readonly heard$: Observable<NodeRecord>;
}

export interface NeighbourAnswer {
  readonly records: readonly NodeRecord[];
  readonly requests: number;
}
