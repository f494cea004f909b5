import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isInFlight, newPeer, type PeerMessage, type PeerState } from '../../src/actors/peer.ts';
import { createRegistry, type Registry } from '../../src/actors/registry.ts';
import { networkClock } from '../../src/consensus/clock.ts';
import { failure } from '../../src/consensus/failure.ts';

/** Who goes when a full registry meets somebody new. */

const EPOCH_MS = 32_000;
const clock = networkClock({ genesisTimeMs: 0, slotMs: 1_000, slotsPerEpoch: 32 });
const WEEK_EPOCHS = (7 * 86_400_000) / EPOCH_MS;
const NOW_EPOCH = 20_000;
const nowMs = NOW_EPOCH * EPOCH_MS;

function tried(peerId: string, changes: Partial<PeerState> = {}): PeerState {
  return {
    ...newPeer(peerId, nowMs - 1_000),
    enr: `enr:${peerId}`,
    enrSequence: 1n,
    addresses: ['/ip4/10.0.0.1/tcp/1'],
    failures: 1,
    phase: { name: 'backing-off', untilMs: nowMs + EPOCH_MS },
    ...changes,
  };
}

function fullOf(restored: readonly PeerState[], perform: (type: string) => void = () => undefined): Registry {
  const registry = createRegistry({
    clock,
    maxPeers: restored.length,
    restored,
    perform: ({ type }) => perform(type),
    onWake: () => undefined,
  });
  registry.tick(NOW_EPOCH);
  return registry;
}

function discovered(enr: string): PeerMessage {
  return { type: 'discovered', enr, enrSequence: 1n, addresses: ['/ip4/10.0.0.2/tcp/1'], nowMs };
}

const ids = (registry: Registry) => [...registry.records()].map(({ peerId }) => peerId).sort();

const UNTRIED = { failures: 0, phase: { name: 'known' } } as const;
const OBSERVED_OF_LATE = { lastObservedEpoch: NOW_EPOCH - WEEK_EPOCHS };
const OBSERVED_LONG_AGO = { lastObservedEpoch: NOW_EPOCH - WEEK_EPOCHS - 1 };

describe('a newcomer to a full registry', () => {
  it.each<[string, PeerState[], string | null]>([
    ['of the one that has failed most', [tried('a'), tried('b', { failures: 3 }), tried('c')], 'b'],
    [
      'of two that have failed as often, of that heard of longest ago',
      [tried('a'), tried('b', { lastAliveMs: nowMs - 5_000 }), tried('c', { lastAliveMs: nowMs - 4_000 })],
      'b',
    ],
    [
      'of one never observed, however often another has failed',
      [tried('a', { ...OBSERVED_LONG_AGO, failures: 7 }), tried('b')],
      'b',
    ],
    ['of one that nobody can visit', [tried('a', UNTRIED), tried('b', { ...UNTRIED, addresses: [] })], 'b'],
    [
      'of the one observed longest ago, when all have been observed',
      [tried('a', OBSERVED_LONG_AGO), tried('b', { lastObservedEpoch: 3 }), tried('c', OBSERVED_OF_LATE)],
      'b',
    ],
    ['of nobody that was observed within a week', [tried('a', { ...OBSERVED_OF_LATE, failures: 7 })], null],
    ['of one observed more than a week ago', [tried('a', OBSERVED_LONG_AGO)], 'a'],
    ['of nobody whose turn has not come', [tried('a', UNTRIED), tried('b', UNTRIED)], null],
    [
      'of nobody observed long ago that has not been tried since',
      [tried('a', { ...OBSERVED_LONG_AGO, ...UNTRIED })],
      null,
    ],
  ])('takes the place %s', (_, restored, gone) => {
    const registry = fullOf(restored);
    const before = ids(registry);
    expect(registry.wants('new', 1n)).toBe(gone !== null);
    registry.send('new', discovered('enr:new'));
    expect(ids(registry)).toEqual(
      gone === null ? before : [...before.filter((peerId) => peerId !== gone), 'new'].sort(),
    );
    expect(registry.counts(nowMs)).toMatchObject(
      gone === null ? { evicted: 0, refused: 2 } : { evicted: 1, refused: 0 },
    );
    expect(registry.takeChanges()).toMatchObject(
      gone === null ? { changed: [], forgotten: [] } : { changed: [{ peerId: 'new' }], forgotten: [gone] },
    );
  });

  it('may as well have dialled us', () => {
    const effects: string[] = [];
    const registry = fullOf([tried('a')], (type) => effects.push(type));
    registry.send('new', { type: 'inbound', nowMs, epoch: NOW_EPOCH });
    registry.send('newer', { type: 'inbound', nowMs, epoch: NOW_EPOCH });
    expect(ids(registry)).toEqual(['new']);
    expect(effects).toEqual(['adopt', 'decline']);
  });

  it('finds room among made-up peers as soon as those have failed', () => {
    const registry = fullOf(['a', 'b', 'c'].map((peerId) => tried(peerId, UNTRIED)));
    registry.send('new', discovered('enr:new'));
    expect(registry.get('new')).toBeUndefined();
    const visited = registry.takeDue(nowMs)?.peerId ?? '';
    registry.send('new', discovered('enr:new'));
    expect(registry.get('new')).toBeUndefined();
    const refused = failure('dial', 'refused');
    registry.send(visited, { type: 'failed', failure: refused, dialed: [], nowMs, epochMs: EPOCH_MS });
    registry.send('new', discovered('enr:new'));
    expect(registry.get('new')?.phase.name).toBe('known');
    expect(registry.get(visited)).toBeUndefined();
  });
});

describe('any full registry', () => {
  const phase = fc.constantFrom<PeerState['phase']>(
    { name: 'known' },
    { name: 'resting', untilMs: null },
    { name: 'backing-off', untilMs: nowMs + EPOCH_MS },
    { name: 'backing-off', untilMs: Number.POSITIVE_INFINITY },
  );
  const peer = fc
    .record({
      phase,
      failures: fc.nat(5),
      lastObservedEpoch: fc.constantFrom(-1, -1, 3, 1_000, 1_099, 1_100, NOW_EPOCH - 1),
      lastAliveMs: fc.integer({ min: nowMs - 100, max: nowMs - 90 }),
      addresses: fc.constantFrom<string[]>([], ['/ip4/10.0.0.1/tcp/1'], ['/ip4/10.0.0.1/tcp/1']),
    })
    .map((changes): PeerState => ({ ...newPeer('', 0), enr: 'enr:', enrSequence: 1n, ...changes }));

  /** The rule again, by looking at all of them. */
  function worthLeast(registry: Registry): PeerState[] {
    const candidates = [...registry.records()].filter(
      (record) =>
        !isInFlight(record) &&
        (record.failures > 0 || record.addresses.length === 0) &&
        nowMs - (record.lastObservedEpoch < 0 ? Number.NEGATIVE_INFINITY : (record.lastObservedEpoch + 1) * EPOCH_MS) >=
          WEEK_EPOCHS * EPOCH_MS,
    );
    const order = (a: PeerState, b: PeerState) =>
      a.lastObservedEpoch - b.lastObservedEpoch || b.failures - a.failures || a.lastAliveMs - b.lastAliveMs;
    const [first] = candidates.toSorted(order);
    return first === undefined ? [] : candidates.filter((candidate) => order(candidate, first) === 0);
  }

  it('stays bounded, gives up one of those worth least, and never one that is in flight', () => {
    fc.assert(
      fc.property(
        fc.array(peer, { minLength: 1, maxLength: 12 }),
        fc.array(fc.constantFrom('discovered', 'inbound', 'visit', 'fail'), { maxLength: 30 }),
        (peers, steps) => {
          const registry = fullOf(peers.map((record, index) => ({ ...record, peerId: `peer-${index}` })));
          const inFlight = new Set<string>();
          for (const [index, step] of steps.entries()) {
            const before = ids(registry);
            const expected = worthLeast(registry).map(({ peerId }) => peerId);
            if (step === 'discovered') registry.send(`new-${index}`, discovered(`enr:${index}`));
            if (step === 'inbound') registry.send(`new-${index}`, { type: 'inbound', nowMs, epoch: NOW_EPOCH });
            if (step === 'visit') inFlight.add(registry.takeDue(nowMs)?.peerId ?? '');
            if (step === 'fail') {
              const [peerId = ''] = inFlight;
              const refused = failure('dial', 'refused');
              registry.send(peerId, { type: 'failed', failure: refused, dialed: [], nowMs, epochMs: EPOCH_MS });
              inFlight.delete(peerId);
            }
            if (registry.get(`new-${index}`)?.phase.name === 'handshaking') inFlight.add(`new-${index}`);
            inFlight.delete('');
            const gone = before.filter((peerId) => registry.get(peerId) === undefined);
            expect(registry.counts(nowMs).known).toBeLessThanOrEqual(peers.length);
            expect(gone.length).toBeLessThanOrEqual(1);
            expect(expected).toEqual(expect.arrayContaining(gone));
            const isIn = registry.get(`new-${index}`) !== undefined;
            if (step === 'discovered' || step === 'inbound') {
              expect(isIn).toBe(expected.length > 0 || before.length < peers.length);
            } else expect(gone).toEqual([]);
            for (const peerId of inFlight) expect(registry.get(peerId)).toSatisfy(isInFlight);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('takes in newcomers by the ten thousand in a moment', () => {
    const registry = fullOf(Array.from({ length: 50_000 }, (_, index) => tried(`peer-${index}`)));
    const beganMs = performance.now();
    for (let index = 0; index < 20_000; index++) registry.send(`new-${index}`, discovered(`enr:${index}`));
    // 0.1 s here; looking at all of them for each would take minutes.
    expect(performance.now() - beganMs).toBeLessThan(3_000);
    expect(registry.counts(nowMs)).toMatchObject({ known: 50_000, evicted: 20_000, refused: 0 });
  });
});
