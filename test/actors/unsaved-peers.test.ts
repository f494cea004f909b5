import { beforeEach, describe, expect, it } from 'vitest';
import type { PeerState } from '../../src/actors/peer.ts';
import { createUnsavedPeers, type UnsavedPeers } from '../../src/actors/unsaved-peers.ts';
import { knownPeer, restingUntil } from './support/peers.ts';

let records: Map<string, PeerState>;
let unsaved: UnsavedPeers;

beforeEach(() => {
  records = new Map();
  unsaved = createUnsavedPeers(records);
});

function store(peer: PeerState): void {
  const before = records.get(peer.peerId);
  records.set(peer.peerId, peer);
  unsaved.stored(before, peer);
}

function drop(peerId: string): void {
  records.delete(peerId);
  unsaved.dropped(peerId);
}

const resting = (changes: Partial<PeerState> = {}) => knownPeer('a', { ...restingUntil(null), ...changes });

describe('a record that takes the place of another', () => {
  it.each<[string, PeerState | null, PeerState, boolean]>([
    ['of nobody', null, resting(), true],
    ['that rests until another moment', resting(), resting(restingUntil(9)), false],
    ['that rests, after an observation', resting(), resting({ lastObservedEpoch: 3 }), true],
    ['that rests, with a newer record', resting(), resting({ enrSequence: 2n }), true],
    ['that was in flight', resting({ phase: { name: 'probing' } }), resting(), true],
    ['that backs off', resting({ phase: { name: 'backing-off', untilMs: 1 } }), resting(), true],
  ])('%s', (_, before, after, isUnsaved) => {
    if (before !== null) store(before);
    unsaved.take();
    store(after);
    expect(unsaved.take().changed).toEqual(isUnsaved ? [after] : []);
  });
});

describe('createUnsavedPeers', () => {
  it('gives each record once, as it is by then', () => {
    store(knownPeer('a'));
    store(knownPeer('a', { enrSequence: 7n }));
    expect(unsaved.take()).toEqual({ changed: [knownPeer('a', { enrSequence: 7n })], forgotten: [] });
    expect(unsaved.take()).toEqual({ changed: [], forgotten: [] });
  });

  it('gives of a peer either its record or that it was forgotten, whichever came last', () => {
    store(knownPeer('a'));
    drop('a');
    drop('b');
    store(knownPeer('b'));
    expect(unsaved.take()).toEqual({ changed: [knownPeer('b')], forgotten: ['a'] });
  });

  it('gives again what was given back, unless the opposite has come true meanwhile', () => {
    for (const peerId of ['a', 'b']) store(knownPeer(peerId));
    for (const peerId of ['c', 'd']) drop(peerId);
    const changes = unsaved.take();
    drop('a');
    store(knownPeer('c'));
    unsaved.giveBack(changes);
    const again = unsaved.take();
    expect(again.changed.map(({ peerId }) => peerId).sort()).toEqual(['b', 'c']);
    expect([...again.forgotten].sort()).toEqual(['a', 'd']);
  });
});
