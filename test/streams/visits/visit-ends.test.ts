import { describe, expect, it } from 'vitest';
import type { PeerMessage, PeerState } from '../../../src/actors/peer.ts';
import { type Failure, failure } from '../../../src/consensus/failure.ts';
import { createSlots } from '../../../src/streams/flow/slots.ts';
import type { Observation } from '../../../src/streams/visit.ts';
import { createVisitTally } from '../../../src/streams/visit-tally.ts';
import { createVisitEnds, givingUp } from '../../../src/streams/visits/visit-ends.ts';
import { createVisitLedger } from '../../../src/streams/visits/visit-ledger.ts';
import { fakeLink } from '../../support/streams/link.ts';
import { marbles } from '../../support/streams/marbles.ts';
import { CLOCK, EPOCH_MS } from '../../support/streams/network.ts';
import { knownPeer } from '../../support/streams/pipeline.ts';

const ADDRESSES = ['/ip4/10.0.0.1/tcp/9000'];
const REFUSED = failure('dial', 'refused');

function endsAt(nowMs: () => number, known: readonly PeerState[] = []) {
  const slots = createSlots(9);
  const ledger = createVisitLedger();
  const tally = createVisitTally();
  const sent: [peerId: string, message: PeerMessage][] = [];
  const ends = createVisitEnds({
    ledger,
    tally,
    registry: { get: (id) => known.find(({ peerId }) => peerId === id) },
    clock: CLOCK,
    scheduler: { now: nowMs },
    send(peerId, message) {
      sent.push([peerId, message]);
      return [];
    },
  });
  const begin = (peerId: string, beganMs = 0) => {
    slots.tryTake();
    return { peerId, lease: ledger.begin(peerId, { slots, nowMs: beganMs, addresses: ADDRESSES }) };
  };
  return { slots, ledger, tally, sent, ends, begin };
}

describe('the end of a visit', () => {
  it('that has observed the peer counts for the epoch in which the connection opened', () => {
    const { slots, tally, sent, ends, begin } = endsAt(() => 2 * EPOCH_MS + 1);
    const observation = { ...begin('a'), agent: 'Nimbus', missing: [], problems: [], observedFromMs: 2 * EPOCH_MS - 1 };
    expect(ends.observed(observation as unknown as Observation)).toEqual({ type: 'observed', observation });
    expect(sent).toEqual([['a', { type: 'observed', nowMs: 2 * EPOCH_MS + 1, epoch: 1, agent: 'Nimbus' }]]);
    expect(tally.counts()).toMatchObject({ observed: 1, failed: 0 });
    expect(slots.taken).toBe(0);
  });

  it('that has failed tells the peer which addresses were tried', () => {
    const { slots, tally, sent, ends, begin } = endsAt(() => 7);
    const failed = { ...begin('a'), failure: REFUSED };
    expect(ends.failed(failed)).toEqual({ type: 'failed', failure: failed });
    expect(sent).toEqual([['a', { type: 'failed', failure: REFUSED, dialed: ADDRESSES, nowMs: 7, epochMs: EPOCH_MS }]]);
    expect(tally.counts()).toMatchObject({ observed: 0, failed: 1 });
    expect(slots.taken).toBe(0);
  });

  it('comes once: what is said of it later changes nothing', () => {
    const { slots, tally, sent, ends, begin } = endsAt(() => 7);
    const key = begin('a');
    ends.failed({ ...key, failure: REFUSED });
    begin('a');
    expect(ends.failed({ ...key, failure: REFUSED })).toBeNull();
    expect(ends.observed({ ...key, observedFromMs: 0 } as Observation)).toBeNull();
    expect(sent).toHaveLength(1);
    expect(tally.counts()).toMatchObject({ observed: 0, failed: 1 });
    expect(slots.taken).toBe(1);
  });
});

describe('a visit that has failed', () => {
  const LIGHTHOUSE = 'Lighthouse/v8.0.1-ced49dd/x86_64-linux';
  const PRYSM = 'Prysm/v7.1.2/7950a249';

  function failing(peer: Partial<PeerState>, failed: Failure, agent: string | null = null) {
    const { tally, sent, ends, begin } = endsAt(() => 7, [knownPeer('a', peer)]);
    const happening = ends.failed({ ...begin('a'), failure: failed, agent });
    return { happening, sent: sent.map(([, message]) => message), failures: tally.counts().failures };
  }

  it.each<[string, Partial<PeerState>, Failure, Failure['cause']]>([
    ['is full, as a node that it knew', { observations: 3, failures: 0 }, failure('status', 'eof'), 'too_many_peers'],
    ['has banned us, when it does so again', { observations: 3, failures: 2 }, failure('status', 'eof'), 'banned'],
    ['is what it is, of a node that was never met', { failures: 9 }, failure('status', 'eof'), 'eof'],
  ])('because the peer said nothing %s', (_, peer, failed, cause) => {
    const { happening, sent, failures } = failing({ agent: LIGHTHOUSE, ...peer }, failed);
    expect(happening).toMatchObject({ failure: { failure: { stage: 'status', cause }, agent: LIGHTHOUSE } });
    expect(sent).toMatchObject([{ type: 'failed', failure: { stage: 'status', cause } }]);
    expect(failures).toEqual([{ stage: 'status', cause, client: 'Lighthouse', count: 1 }]);
  });

  it('counts for the client that the peer was before, unless it has said who it is now', () => {
    const clients = (agent: string | null) =>
      failing({ agent: LIGHTHOUSE }, REFUSED, agent).failures.map(({ client }) => client);
    expect([clients(null), clients(PRYSM)]).toEqual([['Lighthouse'], ['Prysm']]);
  });

  it('is judged by the client that it is now', () => {
    const fault = failure('status', 'fault', 'goodbye 3');
    expect(failing({ agent: LIGHTHOUSE, observations: 1 }, fault, PRYSM).sent).toMatchObject([
      { failure: { cause: 'banned' } },
    ]);
    expect(failing({ agent: PRYSM, observations: 1 }, fault, LIGHTHOUSE).sent).toMatchObject([
      { failure: { cause: 'fault' } },
    ]);
  });
});

describe('givingUp', () => {
  it('ends a visit that lasts too long, and its connection, and leaves those alone that were answered', () => {
    const link = fakeLink();
    marbles(({ scheduler, expectObservable }) => {
      const { ledger, ends, begin } = endsAt(() => scheduler.now());
      const key = begin('a');
      ledger.connected(key, link);
      ledger.answered(begin('b'));
      begin('c', 1_500);
      const cancelled = failure('record', 'cancelled', 'no stage ended the visit');
      const givenUp$ = givingUp({ ledger, ends, visitMs: 1_500, scheduler });
      expectObservable(givenUp$, '3500ms !').toBe('2s a', {
        a: { type: 'failed', failure: { ...key, failure: cancelled } },
      });
    });
    expect(link.leavings).toEqual(['given-up']);
  });

  it('says nothing of a visit that ends by itself while it is looked at', () => {
    marbles(({ scheduler, expectObservable }) => {
      const ledger = { overdue: () => [{ peerId: 'a', lease: 1, link: null }] };
      const givenUp$ = givingUp({ ledger, ends: { failed: () => null }, visitMs: 1, scheduler });
      expectObservable(givenUp$, '2500ms !').toBe('');
    });
  });
});
