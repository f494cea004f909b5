import { map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { PeerEffect } from '../../../src/actors/peer.ts';
import { createSlots } from '../../../src/streams/flow/slots.ts';
import { GOODBYE } from '../../../src/streams/ports/peer-link.ts';
import { adopted, inboundVisits } from '../../../src/streams/visits/inbound-visits.ts';
import { createVisitLedger } from '../../../src/streams/visits/visit-ledger.ts';
import { fakeLink, inWords } from '../../support/streams/link.ts';
import { marbles } from '../../support/streams/marbles.ts';
import { CLOCK } from '../../support/streams/network.ts';

/** One place for peers that dial us, of whom `opted-out` is to be left alone. */
function inboundWith(effect: PeerEffect['type']) {
  const slots = createSlots(1);
  const ledger = createVisitLedger();
  let turnedAway = 0;
  const inbound = inboundVisits({
    registry: { get: () => undefined },
    send: () => [{ type: effect }],
    ledger,
    slots,
    tally: {
      turnedAway: () => {
        turnedAway++;
      },
    },
    clock: CLOCK,
    declines: (peerId) => peerId === 'opted-out',
  });
  return { inbound, slots, ledger, turnedAway: () => turnedAway };
}

describe('a peer that dials us', () => {
  it('is visited, and holds a place until the visit ends', () => {
    const { inbound, slots, ledger } = inboundWith('adopt');
    const visit = inbound.adopt(fakeLink(), 0);
    if (visit === null) throw new Error('it was to be visited');
    expect(visit).toMatchObject({ peerId: 'a', enr: null });
    expect(slots.taken).toBe(1);
    expect(ledger.end(visit)).toMatchObject({ addresses: [] });
    expect(slots.taken).toBe(0);
  });

  it.each<[string, { effect?: PeerEffect['type']; peerId?: string; taken?: number }, bigint, number]>([
    ['is turned away when no place is free', { taken: 1 }, GOODBYE.tooManyPeers, 1],
    ['is not visited when it has been', { effect: 'decline' }, GOODBYE.clientShutdown, 0],
    ['is left alone when it asked for that', { peerId: 'opted-out' }, GOODBYE.clientShutdown, 0],
  ])('%s', (_, { effect = 'adopt', peerId = 'a', taken = 0 }, goodbye, turnedAway) => {
    const setting = inboundWith(effect);
    if (taken > 0) setting.slots.tryTake();
    const link = fakeLink({ peerId });
    expect(setting.inbound.adopt(link, 0)).toBeNull();
    expect(link.goodbyes).toEqual([goodbye]);
    expect(setting.slots.taken).toBe(taken);
    expect(setting.turnedAway()).toBe(turnedAway);
    expect(setting.ledger.size).toBe(0);
  });
});

describe('adopted', () => {
  it('begins visits while the gate is open, and turns away who comes while it is shut', () => {
    const links = { a: fakeLink({ peerId: 'a' }), b: fakeLink({ peerId: 'b' }), c: fakeLink({ peerId: 'c' }) };
    marbles(({ hot, scheduler, expectObservable }) => {
      const inbound = {
        adopt: (link: (typeof links)['a'], nowMs: number) => ({ peerId: link.peerId, lease: nowMs, enr: null, link }),
        turnAway(link: (typeof links)['a']) {
          link.hangUp(GOODBYE.tooManyPeers);
          return null;
        },
      } as Parameters<typeof adopted>[1]['inbound'];
      const isOpen$ = hot('o--s--o', { o: true, s: false });
      const visits$ = adopted(hot('-a--b--c', links), { inbound, isOpen$, scheduler });
      expectObservable(visits$.pipe(map(inWords))).toBe('-a-----c', { a: 'a ok', c: 'c ok' });
    });
    expect([links.a, links.b, links.c].map(({ goodbyes }) => goodbyes)).toEqual([[], [GOODBYE.tooManyPeers], []]);
  });
});
