import { describe, expect, it } from 'vitest';
import { createLivePeers, type LivePeers } from '../../src/actors/live-peers.ts';
import { newPeer, type PeerMessage, type PeerState } from '../../src/actors/peer.ts';
import { createPeerRecords } from '../../src/actors/peer-records.ts';
import { knownPeer } from './support/peers.ts';

const INBOUND: PeerMessage = { type: 'inbound', nowMs: 5, epoch: 0 };
const OBSERVED: PeerMessage = { type: 'observed', nowMs: 9, epoch: 0, agent: null };

function livePeers(restored: readonly PeerState[], onEffect: (type: string, live: LivePeers) => void = () => {}) {
  const records = createPeerRecords(restored, 9);
  const effects: string[] = [];
  let woken = 0;
  const live: LivePeers = createLivePeers({
    records,
    perform: ({ type }, { peerId }) => {
      effects.push(`${type} ${peerId}`);
      onEffect(type, live);
    },
    onWake: () => {
      woken++;
    },
  });
  return { live, records, effects, woken: () => woken };
}

describe('createLivePeers', () => {
  it('has an actor for a peer as long as it is in flight, and its record is what the actor says', () => {
    const { live, records } = livePeers([knownPeer('a')]);
    live.deliver(knownPeer('a'), { type: 'due' });
    expect(live.has('a')).toBe(true);
    // The actor knows better than whoever has an older record.
    const after = live.deliver(knownPeer('a'), { type: 'dialed', nowMs: 4, direction: 'outbound' });
    expect(after).toMatchObject({ phase: { name: 'handshaking' }, lastAliveMs: 4 });
    expect([live.get('a'), records.byId.get('a')]).toEqual([after, after]);
    live.deliver(after, OBSERVED);
    expect([live.has('a'), live.get('a')]).toEqual([false, undefined]);
    expect(records.byId.get('a')?.phase).toEqual({ name: 'resting', untilMs: null });
  });

  it('handles what an effect sends to the same peer after the message in hand', () => {
    const { live, records, effects } = livePeers([], (type, within) => {
      if (type === 'adopt') within.deliver(newPeer('a', 0), { type: 'handshaken' });
    });
    expect(live.deliver(newPeer('a', 5), INBOUND).phase).toEqual({ name: 'probing' });
    expect(records.byId.get('a')?.phase).toEqual({ name: 'probing' });
    expect(effects).toEqual(['adopt a']);
  });

  it('drops the record of a peer that is forgotten, and tells nobody', () => {
    const silent = knownPeer('a', { failures: 8, phase: { name: 'backing-off', untilMs: 1 } });
    const { live, records, effects } = livePeers([silent]);
    live.deliver(silent, { type: 'tick', epoch: 2_000, dueMs: 2_000 * 1_000, epochMs: 1_000 });
    expect([live.has('a'), records.byId.has('a')]).toEqual([false, false]);
    expect(records.unsaved.take().forgotten).toEqual(['a']);
    expect(effects).toEqual([]);
  });

  it('wakes whoever waits when the peer is due at another moment, and not when nothing has changed', () => {
    const { live, woken } = livePeers([]);
    const discovered = { type: 'discovered', enr: 'enr:1', enrSequence: 1n, addresses: ['/x'], nowMs: 0 } as const;
    const after = live.deliver(newPeer('a', 0), discovered);
    expect(woken()).toBe(1);
    live.deliver(after, discovered);
    live.deliver(after, { type: 'due' });
    expect(woken()).toBe(1);
    live.deliver(after, { type: 'postponed', untilMs: 7 });
    expect(woken()).toBe(2);
  });
});
