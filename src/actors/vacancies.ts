import type { PeerState } from './peer.ts';
import type { PeerRecords } from './peer-records.ts';

/** The room for newcomers in a registry that keeps a number of peers: when it is full, who is worth least goes. */
export interface Vacancies {
  /** Whether a newcomer would find room; counts it as refused when not. */
  offer(epoch: number): boolean;
  /** Makes room for a newcomer; counts it as refused when there is none. */
  make(epoch: number): boolean;
  /** Peers turned away for want of room. */
  readonly refused: number;
  /** Peers that had to go. */
  readonly evicted: number;
}

export interface VacanciesOptions {
  readonly records: Pick<PeerRecords, 'byId' | 'leastWorth' | 'drop'>;
  readonly maxPeers: number;
  /** Who was observed so many whole epochs ago or later stays, whatever comes. */
  readonly keepObservedEpochs: number;
  /** Whether the peer has a message in hand. */
  readonly isBusy: (peerId: string) => boolean;
}

export function createVacancies({ records, maxPeers, keepObservedEpochs, isBusy }: VacanciesOptions): Vacancies {
  let refused = 0;
  let evicted = 0;

  /** The peer that would go for a newcomer. */
  function least(epoch: number): PeerState | undefined {
    const peer = records.leastWorth();
    if (peer === undefined || isBusy(peer.peerId)) return undefined;
    // If the first was observed of late, so were all.
    const wasObserved = peer.lastObservedEpoch >= 0;
    return wasObserved && epoch - 1 - peer.lastObservedEpoch < keepObservedEpochs ? undefined : peer;
  }

  return {
    offer(epoch) {
      if (records.byId.size < maxPeers || least(epoch) !== undefined) return true;
      refused++;
      return false;
    },
    make(epoch) {
      if (records.byId.size < maxPeers) return true;
      const peer = least(epoch);
      if (peer === undefined) {
        refused++;
        return false;
      }
      records.drop(peer.peerId);
      evicted++;
      return true;
    },
    get refused() {
      return refused;
    },
    get evicted() {
      return evicted;
    },
  };
}
