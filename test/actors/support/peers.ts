import { newPeer, type PeerState } from '../../../src/actors/peer.ts';

/** A peer with a record and an address, due at once if nothing else is said. */
export function knownPeer(peerId: string, changes: Partial<PeerState> = {}): PeerState {
  return {
    ...newPeer(peerId, 0),
    enr: `enr:${peerId}`,
    enrSequence: 1n,
    addresses: ['/ip4/10.0.0.1/tcp/9000'],
    phase: { name: 'known' },
    ...changes,
  };
}

export function restingUntil(untilMs: number | null): Pick<PeerState, 'phase'> {
  return { phase: { name: 'resting', untilMs } };
}
