import { map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { failure } from '../../../src/consensus/failure.ts';
import { visitFailed, visitSucceeded } from '../../../src/streams/visit.ts';
import { noteConnections } from '../../../src/streams/visits/connections.ts';
import { connectedVisit, fakeLink, inWords } from '../../support/streams/link.ts';
import { marbles } from '../../support/streams/marbles.ts';

describe('noteConnections', () => {
  it('notes a connection and tells the peer, ends one that comes too late, and lets failures pass', () => {
    const [awaited, late] = [fakeLink({ peerId: 'a' }), fakeLink({ peerId: 'late' })];
    const shared = fakeLink({ peerId: 's', direction: 'inbound' });
    const noted: string[] = [];
    const sent: unknown[] = [];
    marbles(({ cold, scheduler, expectObservable }) => {
      const note = noteConnections({
        ledger: {
          connected({ peerId }, link) {
            noted.push(`${peerId} ${link.peerId}`);
            return peerId !== 'late';
          },
        },
        send(peerId, message) {
          sent.push([peerId, message]);
          return [];
        },
        scheduler,
      });
      const outcomes = {
        a: visitSucceeded(connectedVisit(awaited)),
        l: visitSucceeded(connectedVisit(late)),
        s: visitSucceeded(connectedVisit(shared)),
        x: visitFailed({ peerId: 'x', lease: 1 }, failure('dial', 'refused')),
      };
      expectObservable(cold('--alxs|', outcomes).pipe(note, map(inWords))).toBe('--a-xs|', {
        a: 'a ok',
        s: 's ok',
        x: 'x dial refused',
      });
    });
    expect(noted).toEqual(['a a', 'late late', 's s']);
    expect(sent).toEqual([
      ['a', { type: 'dialed', nowMs: 2, direction: 'outbound' }],
      // The connection that the peer had begun says nothing of whether it can be dialled.
      ['s', { type: 'dialed', nowMs: 5, direction: 'inbound' }],
    ]);
    expect([awaited.leavings, late.leavings]).toEqual([[], ['given-up']]);
  });
});
