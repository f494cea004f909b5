import { describe, expect, it } from 'vitest';
import type { PeerMessage, PeerState } from '../../../src/actors/peer.ts';
import { failure } from '../../../src/consensus/failure.ts';
import { createSlots } from '../../../src/streams/flow/slots.ts';
import { dueVisits } from '../../../src/streams/visits/due-visits.ts';
import { createVisitLedger } from '../../../src/streams/visits/visit-ledger.ts';
import { knownPeer } from '../../support/streams/pipeline.ts';

/** Visits of which two may go to one address. */
function visitsTo(peers: readonly PeerState[], kept: readonly string[] = []) {
  const waiting = [...peers];
  const sent: [peerId: string, message: PeerMessage][] = [];
  const ledger = createVisitLedger();
  const slots = createSlots(9);
  const take = dueVisits({
    registry: { takeDue: () => waiting.shift() ?? null },
    send(peerId, message) {
      sent.push([peerId, message]);
      return [];
    },
    ledger,
    slots,
    perPlace: { perIp: 2, perPrefix: 9 },
    isWaiting: (peerId) => kept.includes(peerId),
  });
  const next = (nowMs: number) => {
    slots.tryTake();
    return take(nowMs);
  };
  return { next, sent, ledger, slots };
}

const at = (peerId: string, ip: string) => knownPeer(peerId, { addresses: [`/ip4/${ip}/tcp/9000`] });

describe('dueVisits', () => {
  it('begins the visit of the next peer that is due, with its record and its addresses', () => {
    const { next, ledger } = visitsTo([at('a', '10.0.0.1')]);
    const visit = next(5);
    expect(visit).toMatchObject({ peerId: 'a', enr: 'enr:a', addresses: ['/ip4/10.0.0.1/tcp/9000'] });
    expect(visit !== null && ledger.holds(visit)).toBe(true);
    expect(next(5)).toBeNull();
  });

  it('puts a peer off whose place is dialled enough, until a visit there ends', () => {
    const peers = ['a', 'b', 'c'].map((peerId) => at(peerId, '10.0.0.1'));
    const { next, sent, ledger, slots } = visitsTo([...peers, at('d', '10.9.0.1'), at('e', '10.0.0.1')]);
    const [first] = [next(5), next(5)];
    expect(next(5)?.peerId).toBe('d');
    expect(sent).toEqual([['c', { type: 'postponed', untilMs: 1_005 }]]);
    if (first === null || first === undefined) throw new Error('a was due');
    ledger.end(first);
    expect(slots.taken).toBe(2);
    expect(next(6)?.peerId).toBe('e');
  });

  it('does not dial whom it cannot reach while a connection from it waits, but anybody else', () => {
    const unreachable = (peerId: string) => ({ ...at(peerId, '10.0.0.1'), isUnreachable: true });
    const { next, sent } = visitsTo(
      [unreachable('kept'), at('held', '10.0.0.2'), unreachable('gone')],
      ['kept', 'held'],
    );
    expect([next(5)?.peerId, next(5)?.peerId, next(5)]).toEqual(['held', 'gone', null]);
    expect(sent).toEqual([['kept', { type: 'postponed', untilMs: 1_005 }]]);
  });

  it('dials one address at a time after somebody else was met at one of them', () => {
    const addresses = ['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.2/tcp/1'];
    const mismatch = { addresses, lastFailure: failure('dial', 'peer_id_mismatch') };
    expect(visitsTo([knownPeer('a', mismatch)]).next(0)?.addresses).toEqual(addresses.slice(0, 1));
  });
});
