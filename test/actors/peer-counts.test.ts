import { expect, it } from 'vitest';
import { countPeers } from '../../src/actors/peer-counts.ts';
import { knownPeer, restingUntil } from './support/peers.ts';

it('counts peers, those of them that are due, and those in each phase', () => {
  const peers = [
    knownPeer('a'),
    knownPeer('b', { addresses: [] }),
    knownPeer('c', restingUntil(10)),
    knownPeer('d', restingUntil(11)),
    knownPeer('e', { phase: { name: 'dialing' } }),
    knownPeer('f', { phase: { name: 'backing-off', untilMs: 9 } }),
  ];
  expect(countPeers(peers, 10)).toEqual({
    known: 6,
    due: 3,
    phases: { known: 2, dialing: 1, handshaking: 0, probing: 0, resting: 2, 'backing-off': 1, forgotten: 0 },
  });
});
