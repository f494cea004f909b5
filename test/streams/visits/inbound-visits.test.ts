import fc from 'fast-check';
import { map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { PeerState } from '../../../src/actors/peer.ts';
import { visitTimeMs } from '../../../src/actors/schedule.ts';
import { failure } from '../../../src/consensus/failure.ts';
import { adopted, type InboundVisits } from '../../../src/streams/visits/inbound-visits.ts';
import { callers } from '../../support/streams/callers.ts';
import { connectedVisit, fakeLink, inWords } from '../../support/streams/link.ts';
import { marbles } from '../../support/streams/marbles.ts';
import { CLOCK, EPOCH_MS } from '../../support/streams/network.ts';
import { knownPeer } from '../../support/streams/pipeline.ts';

/** How often it is looked whose time has come. */
const LOOK_MS = 250;
const REACHED = { wasReached: true };
/** The port of its record is behind NAT. */
const NATED = { isUnreachable: true };

describe('a peer that dials us', () => {
  it('six times in an epoch is observed once, and each time it is answered for longer before it is left', () => {
    const { call, runTo, visits } = callers({ known: [knownPeer('a', REACHED)] });
    const calls = [0, 1, 2, 3, 4, 5].map((seconds) => {
      runTo(seconds * 1_000);
      return call('a');
    });
    runTo(EPOCH_MS - 1);
    expect(visits).toMatchObject([{ peerId: 'a', fromMs: 0, toMs: 100 }]);
    runTo(3 * EPOCH_MS);
    // Three seconds for the first, when its visit has ended, and twice as long each time; a minute at most.
    const heldMs = calls.map(({ atMs, left }) => (left[0]?.atMs ?? Number.NaN) - atMs);
    for (const [index, leastMs] of [3_100, 6_000, 12_000, 24_000, 48_000, 60_000].entries()) {
      expect(heldMs[index]).toBeGreaterThanOrEqual(leastMs);
      expect(heldMs[index]).toBeLessThanOrEqual(leastMs + LOOK_MS);
    }
    expect(calls.map(({ left }) => left.map(({ isDialable }) => isDialable))).toEqual(Array(6).fill([true]));
  });

  it('from behind NAT is kept, and looked at once an epoch at its own moment, on the same connection', () => {
    const { call, runTo, visits, room } = callers({ known: [knownPeer('a', NATED)] });
    runTo(1_000);
    const { left } = call('a');
    runTo(6 * EPOCH_MS - 1);
    expect(visits.map(({ fromMs }) => CLOCK.epochAt(fromMs))).toEqual([0, 1, 2, 3, 4, 5]);
    for (const [epoch, { fromMs, openedMs }] of visits.entries()) {
      if (epoch === 0) continue;
      expect(fromMs).toBeGreaterThanOrEqual(visitTimeMs(CLOCK, 'a', epoch));
      expect(fromMs).toBeLessThanOrEqual(visitTimeMs(CLOCK, 'a', epoch) + LOOK_MS);
      // What is seen is of now, and not of when it dialled.
      expect(openedMs).toBe(fromMs);
    }
    expect(left).toEqual([]);
    expect(room.size).toBe(1);
  });

  it('from behind NAT and says nothing of its topics is let go, so that it comes again and says them', () => {
    const { call, runTo, visits } = callers({ known: [knownPeer('a', NATED)], isUnheard: (before) => before === 0 });
    const { left } = call('a');
    runTo(5_000);
    expect(left).toEqual([{ atMs: 100, isDialable: false }]);
    const next = call('a');
    runTo(3 * EPOCH_MS - 1);
    expect(next.left).toEqual([]);
    expect(visits.map(({ fromMs }) => CLOCK.epochAt(fromMs))).toEqual([0, 1, 2]);
  });

  it.each<[string, Partial<PeerState> | null, boolean, boolean]>([
    ['that nobody knew is kept', null, true, false],
    ['that has no address is kept', { addresses: [] }, true, false],
    ['that could not be reached is kept', NATED, true, false],
    ['that was reached is let go, and need not come again', REACHED, false, true],
    ['whose address was never tried is let go, and may have to come again', {}, false, false],
  ])('%s', (_, fields, isKept, isDialable) => {
    const { call, runTo } = callers({ known: fields === null ? [] : [knownPeer('a', fields)] });
    const { left } = call('a');
    runTo(EPOCH_MS - 1);
    expect(left).toMatchObject(isKept ? [] : [{ isDialable }]);
  });

  it('is visited when a place is free, if none is when it comes', () => {
    const { call, runTo, visits, tally } = callers({ slots: 1, visitMs: 1_000 });
    for (const peerId of ['a', 'b', 'c']) call(peerId);
    runTo(5_000);
    expect(visits.map(({ peerId }) => peerId)).toEqual(['a', 'b', 'c']);
    expect(tally.counts().turnedAway).toEqual([{ client: 'Lighthouse', reason: 'no-slot', count: 2 }]);
  });

  it('waits while there are no visits, and is visited when there are again', () => {
    const { call, runTo, open, visits, tally } = callers({ known: [knownPeer('reached', REACHED)] });
    open(false);
    const [kept, held] = [call('nated'), call('reached')];
    runTo(5_000);
    expect(visits).toEqual([]);
    // Who can be dialled is not kept waiting.
    expect([kept.left, held.left]).toEqual([[], [{ atMs: 3_000, isDialable: true }]]);
    open(true);
    runTo(5_500);
    expect(visits).toMatchObject([{ peerId: 'nated' }]);
    expect(tally.counts().turnedAway).toEqual([{ client: 'Lighthouse', reason: 'paused', count: 2 }]);
  });

  it('and asked to be left alone is not visited, nor kept, but answered for a while', () => {
    const { call, runTo, visits, tally, registry } = callers({ declines: () => true });
    const { left, link } = call('a');
    runTo(2 * EPOCH_MS);
    expect(left).toEqual([{ atMs: 3_000, isDialable: true }]);
    expect([visits, link.asked, registry.get('a')]).toEqual([[], [], undefined]);
    expect(tally.counts().turnedAway).toEqual([{ client: 'Lighthouse', reason: 'opted-out', count: 1 }]);
  });

  it('and finds no room is left at once', () => {
    const { call, tally, room } = callers({ perIp: 2, visitMs: 60_000, known: [knownPeer('a', REACHED)] });
    // The first is a visit.
    const calls = [call('a'), call('a'), call('a'), call('a')];
    expect(calls.map(({ left }) => left.length)).toEqual([0, 0, 0, 1]);
    expect(room.size).toBe(2);
    expect(tally.counts().turnedAway).toEqual([
      { client: 'Lighthouse', reason: 'in-flight', count: 3 },
      { client: 'Lighthouse', reason: 'no-room', count: 1 },
    ]);
  });

  it('when the registry is full is tried once an epoch', () => {
    const { call, runTo, registry, tally, visits } = callers({ maxPeers: 1, known: [knownPeer('z')] });
    const { left } = call('a');
    runTo(3 * EPOCH_MS - 1);
    expect(registry.counts(0).refused).toBe(3);
    expect([left, visits]).toEqual([[], []]);
    expect(tally.counts().turnedAway).toEqual([{ client: 'Lighthouse', reason: 'no-room', count: 1 }]);
  });
});

describe('a connection that waits', () => {
  it('is not cut while it is looked at, however long that takes', () => {
    const { call, runTo, open, visits } = callers({ known: [knownPeer('a', REACHED)], visitMs: 10_000 });
    open(false);
    const { left } = call('a');
    runTo(2_500);
    open(true);
    runTo(EPOCH_MS);
    expect(visits).toMatchObject([{ fromMs: 2_750, toMs: 12_750 }]);
    expect(left).toHaveLength(1);
    expect(left[0]?.atMs).toBeGreaterThanOrEqual(15_750);
  });

  it('is not cut when the peer dials again while it is looked at; the newer is kept', () => {
    const { call, runTo, visits, room } = callers({ visitMs: 2_000 });
    const first = call('a');
    runTo(EPOCH_MS - 1);
    runTo(visitTimeMs(CLOCK, 'a', 1) + LOOK_MS + 1);
    const second = call('a');
    runTo(3 * EPOCH_MS - 1);
    expect(visits).toHaveLength(3);
    expect(first.left).toHaveLength(1);
    expect(first.left[0]?.atMs).toBeGreaterThan((visits[1]?.toMs ?? Number.NaN) + 3_000 - 1);
    expect(second.left).toEqual([]);
    expect(room.waiting()).toEqual([second.link]);
  });

  it('gives its place to a newer one of the same peer', () => {
    const { call, runTo, room } = callers();
    const first = call('a');
    runTo(1_000);
    const second = call('a');
    expect(room.kept()).toEqual([second.link]);
    runTo(3_999);
    expect(first.left).toEqual([]);
    runTo(10_000);
    expect([first.left, second.left]).toEqual([[{ atMs: 4_000, isDialable: false }], []]);
    expect(room.waiting()).toEqual([second.link]);
  });

  it('that has ended during its visit does not come back', () => {
    const { call, runTo, room } = callers({ visitMs: 2_000 });
    const { close, left } = call('a');
    runTo(1_000);
    close();
    const second = call('a');
    runTo(5_000);
    expect(left).toEqual([]);
    expect(room.waiting()).toEqual([second.link]);
    expect(second.left).toEqual([]);
  });

  it('is not looked at while we visit the peer ourselves', () => {
    const { call, runTo, visits, registry, send } = callers({ known: [knownPeer('a', NATED)] });
    call('a');
    runTo(EPOCH_MS);
    send('a', { type: 'due' });
    runTo(2 * EPOCH_MS - 1);
    expect(registry.get('a')?.phase.name).toBe('dialing');
    expect(visits).toHaveLength(1);
  });

  it('is looked at when our own dial has come to nothing meanwhile', () => {
    const { call, runTo, visits, send } = callers({ known: [knownPeer('a')] });
    send('a', { type: 'due' });
    const { left } = call('a');
    runTo(1_000);
    expect(visits).toEqual([]);
    const timeout = failure('dial', 'timeout');
    send('a', { type: 'failed', failure: timeout, dialed: ['x'], nowMs: 1_000, epochMs: EPOCH_MS });
    runTo(EPOCH_MS - 1);
    expect(visits).toMatchObject([{ fromMs: 1_250 }]);
    expect(left).toEqual([]);
  });

  it('is looked at no more often when that fails', () => {
    const trouble = () => failure('status', 'timeout');
    const { call, runTo, visits } = callers({ trouble });
    call('a');
    runTo(4 * EPOCH_MS - 1);
    expect(visits.map(({ fromMs }) => CLOCK.epochAt(fromMs))).toEqual([0, 1, 2, 3]);
  });

  it.each(['wrong_fork', 'gated'] as const)('is let go when its visit ends with %s', (cause) => {
    const { call, runTo, visits } = callers({ trouble: () => failure('status', cause) });
    const { left } = call('a');
    runTo(EPOCH_MS - 1);
    expect(visits).toHaveLength(1);
    expect(left).toHaveLength(1);
  });
});

/** A peer dials us, or ends its latest connection. */
const events = fc.array(
  fc.record({
    waitMs: fc.oneof(fc.nat(500), fc.nat(20_000)),
    peer: fc.constantFrom('reached', 'untried', 'nated', 'stranger'),
    isCall: fc.boolean(),
  }),
  { maxLength: 60, size: 'max' },
);

describe('whoever dials us, whenever', () => {
  it('is observed at most once an epoch, and answered for three seconds at least', () => {
    fc.assert(
      fc.property(events, fc.nat(4_000), (sequence, visitMs) => {
        const known = [knownPeer('reached', REACHED), knownPeer('untried'), knownPeer('nated', NATED)];
        const world = callers({ known, capacity: 1_000, visitMs });
        const calls: ReturnType<typeof world.call>[] = [];
        const ended = new Set<unknown>();
        let nowMs = 0;
        for (const { waitMs, peer, isCall } of sequence) {
          nowMs += waitMs;
          world.runTo(nowMs);
          const latest = calls.findLast(({ link }) => link.peerId === peer);
          if (isCall) calls.push(world.call(peer));
          else if (latest !== undefined) {
            latest.close();
            ended.add(latest);
          }
        }
        // No visit is under way when an epoch ends.
        world.runTo(CLOCK.epochStartMs(CLOCK.epochAt(nowMs) + 5) - 1);
        const observed = world.visits.map(({ peerId, openedMs }) => `${peerId} ${CLOCK.epochAt(openedMs)}`);
        expect(observed).toEqual([...new Set(observed)]);
        for (const { left, atMs } of calls) {
          expect(left.length).toBeLessThanOrEqual(1);
          if (left[0] !== undefined) expect(left[0].atMs - atMs).toBeGreaterThanOrEqual(3_000);
        }
        for (const peer of ['nated', 'stranger']) {
          const latest = calls.findLast(({ link }) => link.peerId === peer);
          if (latest !== undefined && !ended.has(latest)) {
            expect(latest.left).toEqual([]);
            expect(world.room.kept()).toContain(latest.link);
          }
        }
        expect(world.slots.taken).toBe(0);
      }),
      { numRuns: 20 },
    );
  });
});

describe('adopted', () => {
  it('begins visits while the gate is open, and has who comes while it is shut wait', () => {
    const links = { a: fakeLink({ peerId: 'a' }), b: fakeLink({ peerId: 'b' }), c: fakeLink({ peerId: 'c' }) };
    const turnedAway: string[] = [];
    marbles(({ hot, scheduler, expectObservable }) => {
      const inbound: InboundVisits = {
        receive: connectedVisit,
        turnAway({ peerId }) {
          turnedAway.push(peerId);
          return null;
        },
        letGo: () => undefined,
        look: () => [],
      };
      const isOpen$ = hot('o--s--o', { o: true, s: false });
      const visits$ = adopted(hot('-a--b--c', links), { inbound, isOpen$, scheduler });
      expectObservable(visits$.pipe(map(inWords)), '20ms !').toBe('-a-----c', { a: 'a ok', c: 'c ok' });
    });
    expect(turnedAway).toEqual(['b']);
  });

  it('lets go all the time, and looks while the gate is open', () => {
    const done: string[] = [];
    marbles(({ hot, cold, scheduler, expectObservable }) => {
      const inbound: InboundVisits = {
        receive: () => null,
        turnAway: () => null,
        letGo: () => done.push('let go'),
        look() {
          done.push('looked');
          return [connectedVisit(fakeLink({ peerId: 'w' })), connectedVisit(fakeLink({ peerId: 'x' }))];
        },
      };
      const isOpen$ = cold('o 299ms s', { o: true, s: false });
      const visits$ = adopted(hot('-'), { inbound, isOpen$, scheduler });
      expectObservable(visits$.pipe(map(inWords)), '600ms !').toBe('250ms (wx)', { w: 'w ok', x: 'x ok' });
    });
    expect(done).toEqual(['let go', 'looked', 'let go']);
  });
});
