import type { NodeRecord } from '../../consensus/node-record.ts';

type Arriving = Pick<NodeRecord, 'enr' | 'peerId'>;

/** Records whose announcement is on its way to the log. */
export interface Arrivals {
  begin(node: Arriving): void;
  end(node: Arriving): void;
  /** Such a record, met again meanwhile, is not announced twice. */
  isOnItsWay(node: Pick<Arriving, 'enr'>): boolean;
  /** Such a peer is not in the registry yet, but has its place. */
  has(peerId: string): boolean;
}

export function createArrivals(): Arrivals {
  const records = new Set<string>();
  const peers = new Set<string>();

  return {
    begin({ enr, peerId }) {
      records.add(enr);
      peers.add(peerId);
    },
    end({ enr, peerId }) {
      records.delete(enr);
      peers.delete(peerId);
    },
    isOnItsWay: ({ enr }) => records.has(enr),
    has: (peerId) => peers.has(peerId),
  };
}
