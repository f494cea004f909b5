import { describe, expect, it } from 'vitest';
import type { PeerState } from '../../src/actors/peer.ts';
import { createPeerRecords } from '../../src/actors/peer-records.ts';
import { createVacancies } from '../../src/actors/vacancies.ts';
import { knownPeer } from './support/peers.ts';

const EPOCH = 100;
const KEEP_OBSERVED_EPOCHS = 10;

function full(peers: readonly PeerState[], { maxPeers = peers.length, busy = '' } = {}) {
  const records = createPeerRecords(peers, peers.length);
  const isBusy = (peerId: string) => peerId === busy;
  const vacancies = createVacancies({ records, maxPeers, keepObservedEpochs: KEEP_OBSERVED_EPOCHS, isBusy });
  return { records, vacancies };
}

const failing = (peerId: string, failures: number, lastObservedEpoch = -1) =>
  knownPeer(peerId, { failures, lastObservedEpoch, phase: { name: 'backing-off', untilMs: 1 } });

describe('the room for a newcomer', () => {
  it.each<[string, ReturnType<typeof full>, { hasRoom: boolean; goes: string | null }]>([
    [
      'is there while not all places are taken',
      full([failing('a', 1)], { maxPeers: 2 }),
      { hasRoom: true, goes: null },
    ],
    ['is made by the one worth least', full([failing('a', 1), failing('b', 2)]), { hasRoom: true, goes: 'b' }],
    ['is not made by one whose turn has not come', full([knownPeer('a')]), { hasRoom: false, goes: null }],
    [
      'is not made by one with a message in hand',
      full([failing('a', 1)], { busy: 'a' }),
      { hasRoom: false, goes: null },
    ],
    [
      'is not made by one observed of late',
      full([failing('a', 1, EPOCH - KEEP_OBSERVED_EPOCHS)]),
      { hasRoom: false, goes: null },
    ],
    [
      'is made by one observed long ago',
      full([failing('a', 1, EPOCH - KEEP_OBSERVED_EPOCHS - 1)]),
      { hasRoom: true, goes: 'a' },
    ],
  ])('%s', (_, { records, vacancies }, { hasRoom, goes }) => {
    const before = [...records.byId.keys()];
    expect(vacancies.offer(EPOCH)).toBe(hasRoom);
    expect([...records.byId.keys()]).toEqual(before);
    expect(vacancies.make(EPOCH)).toBe(hasRoom);
    expect([...records.byId.keys()]).toEqual(before.filter((peerId) => peerId !== goes));
    expect(vacancies.evicted).toBe(goes === null ? 0 : 1);
    // Who was turned away at the first question comes again with the second.
    expect(vacancies.refused).toBe(hasRoom ? 0 : 2);
  });
});
