import { describe, expect, it } from 'vitest';
import type { PeerState } from '../../src/actors/peer.ts';
import { createPeerRecords } from '../../src/actors/peer-records.ts';
import { knownPeer, restingUntil } from './support/peers.ts';

const failing = (peerId: string, failures: number) =>
  knownPeer(peerId, { failures, phase: { name: 'backing-off', untilMs: 1_000 * failures } });

describe('createPeerRecords', () => {
  it('has each peer once, first the one that is due first, and none that waits for a message', () => {
    const records = createPeerRecords([], 9);
    records.put(failing('late', 9));
    records.put(failing('soon', 2));
    records.put(knownPeer('never', restingUntil(null)));
    expect(records.firstDue()?.peerId).toBe('soon');
    records.put(failing('late', 1));
    expect(records.firstDue()?.peerId).toBe('late');
    expect([...records.byId.keys()]).toEqual(['late', 'soon', 'never']);
    for (const peerId of ['late', 'soon']) records.drop(peerId);
    expect(records.firstDue()).toBeUndefined();
  });

  it.each<[string, PeerState, boolean]>([
    ['that is due at another moment', knownPeer('a', restingUntil(7)), true],
    ['that is due when it was', knownPeer('a', { ...restingUntil(5), agent: 'Nimbus' }), false],
    ['that is not due any more', knownPeer('a', { phase: { name: 'dialing' } }), false],
  ])('says whether a peer %s has another place', (_, after, hasMoved) => {
    const records = createPeerRecords([], 9);
    expect(records.put(knownPeer('a', restingUntil(5)))).toBe(true);
    expect(records.put(after)).toBe(hasMoved);
  });

  it('has the one worth least at hand, of those that may go', () => {
    const records = createPeerRecords([], 9);
    records.put(knownPeer('untried'));
    expect(records.leastWorth()).toBeUndefined();
    records.put(failing('a', 1));
    records.put(failing('b', 4));
    expect(records.leastWorth()?.peerId).toBe('b');
    records.put(knownPeer('b', { failures: 4, phase: { name: 'dialing' } }));
    expect(records.leastWorth()?.peerId).toBe('a');
  });

  it.each<[string, PeerState['phase'], PeerState['phase']]>([
    ['was dialled', { name: 'dialing' }, { name: 'known' }],
    ['was greeted', { name: 'handshaking' }, { name: 'known' }],
    ['was watched', { name: 'probing' }, { name: 'known' }],
    ['rested', { name: 'resting', untilMs: 5 }, { name: 'resting', untilMs: null }],
    ['backed off', { name: 'backing-off', untilMs: 5 }, { name: 'backing-off', untilMs: 5 }],
    ['was not visited yet', { name: 'known' }, { name: 'known' }],
  ])('goes on with a peer that %s when an earlier run ended', (_, phase, resumed) => {
    const records = createPeerRecords([knownPeer('a', { phase })], 9);
    expect(records.byId.get('a')).toEqual(knownPeer('a', { phase: resumed }));
    expect(records.unsaved.take()).toEqual({ changed: [], forgotten: [] });
  });

  it('takes no more of an earlier run than there may be', () => {
    const restored = ['a', 'b', 'c'].map((peerId) => knownPeer(peerId));
    expect([...createPeerRecords(restored, 2).byId.keys()]).toEqual(['a', 'b']);
  });
});
