import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  dueAtMs,
  isInFlight,
  newPeer,
  type PeerEffect,
  type PeerMessage,
  type PeerState,
} from '../../src/actors/peer.ts';
import { createRegistry, type Registry, type RegistryOptions } from '../../src/actors/registry.ts';
import { networkClock } from '../../src/consensus/clock.ts';
import { failure } from '../../src/consensus/failure.ts';

const EPOCH_MS = 32_000;
const clock = networkClock({ genesisTimeMs: 0, slotMs: 1_000, slotsPerEpoch: 32 });

interface Setting {
  readonly registry: Registry;
  readonly effects: string[];
  readonly woken: () => number;
}

function registryOf(options: Partial<RegistryOptions> = {}): Setting {
  const effects: string[] = [];
  let woken = 0;
  const registry = createRegistry({
    clock,
    maxPeers: 1_000,
    perform: ({ type }: PeerEffect, { peerId }: PeerState) => effects.push(`${type} ${peerId}`),
    onWake: () => {
      woken++;
    },
    ...options,
  });
  return { registry, effects, woken: () => woken };
}

function discovered(nowMs = 0, enrSequence = 1n, addresses: readonly string[] = ['/ip4/10.0.0.1/tcp/1']): PeerMessage {
  return { type: 'discovered', enr: `enr:${enrSequence}`, enrSequence, addresses, nowMs };
}

function observed(nowMs: number, epoch: number): PeerMessage {
  return { type: 'observed', nowMs, epoch, agent: 'Nimbus' };
}

function failed(nowMs: number, cause: 'refused' | 'wrong_fork' | 'too_many_peers'): PeerMessage {
  return { type: 'failed', failure: failure('dial', cause), dialed: ['/ip4/10.0.0.1/tcp/1'], nowMs, epochMs: EPOCH_MS };
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `peer-${index}`);
}

/** Takes everybody who is due. */
function takeAll(registry: Registry, nowMs: number): string[] {
  const taken: string[] = [];
  for (let peer = registry.takeDue(nowMs); peer !== null; peer = registry.takeDue(nowMs)) taken.push(peer.peerId);
  return taken;
}

/** Peers that were all observed in epoch 0. */
function observedIn0(count: number, options: Partial<RegistryOptions> = {}): Setting {
  const setting = registryOf(options);
  for (const peerId of names(count)) setting.registry.send(peerId, discovered());
  setting.registry.tick(0);
  for (const peerId of takeAll(setting.registry, 0)) setting.registry.send(peerId, observed(10, 0));
  setting.registry.takeChanges();
  return setting;
}

describe('createRegistry', () => {
  it('hands out a peer once it is known, and not again while it is in flight', () => {
    const { registry } = registryOf();
    registry.send('a', discovered());
    expect(registry.nextDueMs()).toBe(Number.NEGATIVE_INFINITY);
    expect(registry.takeDue(0)).toMatchObject({ peerId: 'a', phase: { name: 'dialing' } });
    expect(registry.takeDue(0)).toBeNull();
    expect(registry.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('wakes who waits when a peer becomes due, and not when nothing has changed', () => {
    const { registry, woken } = registryOf();
    registry.send('a', discovered());
    expect(woken()).toBe(1);
    registry.send('a', discovered());
    expect(woken()).toBe(1);
  });

  it('makes every resting peer due once an epoch, at its own moment', () => {
    const { registry } = observedIn0(500);
    expect(registry.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
    registry.tick(1);
    const order: number[] = [];
    const seen = new Set<string>();
    for (let nowMs = registry.nextDueMs(); nowMs < Number.POSITIVE_INFINITY; nowMs = registry.nextDueMs()) {
      expect(registry.takeDue(nowMs - 1)).toBeNull();
      const peer = registry.takeDue(nowMs);
      if (peer === null) throw new Error('the registry said that somebody was due');
      order.push(nowMs);
      seen.add(peer.peerId);
    }
    expect(seen.size).toBe(500);
    expect(order).toHaveLength(500);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(Math.min(...order)).toBeGreaterThanOrEqual(EPOCH_MS);
    expect(Math.max(...order)).toBeLessThan(EPOCH_MS + 0.8 * EPOCH_MS);
    // Spread out, not in a heap: of 500 in 26 seconds no half second has more than 30.
    const halves = new Map<number, number>();
    for (const dueMs of order) halves.set(Math.floor(dueMs / 500), (halves.get(Math.floor(dueMs / 500)) ?? 0) + 1);
    expect(Math.max(...halves.values())).toBeLessThan(30);
  });

  it('does not tick twice for one epoch, nor back', () => {
    const { registry } = observedIn0(3);
    registry.tick(2);
    const dueMs = registry.nextDueMs();
    registry.tick(2);
    registry.tick(1);
    expect(registry.nextDueMs()).toBe(dueMs);
  });

  it('lets a visit that began in the last epoch and ended in this one be followed by one in this epoch', () => {
    const { registry } = observedIn0(1);
    registry.tick(1);
    expect(takeAll(registry, 2 * EPOCH_MS)).toEqual(['peer-0']);
    registry.tick(2);
    expect(registry.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
    registry.send('peer-0', observed(2 * EPOCH_MS + 3, 1));
    expect(registry.nextDueMs()).toBeGreaterThanOrEqual(2 * EPOCH_MS);
    expect(registry.nextDueMs()).toBeLessThan(2 * EPOCH_MS + 0.8 * EPOCH_MS);
    registry.takeDue(3 * EPOCH_MS);
    registry.send('peer-0', observed(2 * EPOCH_MS + 9, 2));
    expect(registry.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('lets a peer that is still full rest until the next tick', () => {
    const { registry } = registryOf();
    registry.tick(0);
    registry.send('a', discovered());
    registry.takeDue(0);
    registry.send('a', failed(5, 'too_many_peers'));
    registry.takeDue(registry.nextDueMs());
    registry.send('a', failed(6, 'too_many_peers'));
    expect(registry.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
    registry.tick(1);
    expect(registry.nextDueMs()).toBeLessThan(2 * EPOCH_MS);
  });

  it('hands out a failed peer when its backoff is over, and one that waits for a record when that comes', () => {
    const { registry } = registryOf();
    registry.send('a', discovered());
    registry.send('b', discovered());
    takeAll(registry, 0);
    registry.send('a', failed(100, 'refused'));
    registry.send('b', failed(100, 'wrong_fork'));
    expect(registry.nextDueMs()).toBe(100 + EPOCH_MS);
    expect(registry.takeDue(99 + EPOCH_MS)).toBeNull();
    expect(takeAll(registry, 100 + EPOCH_MS)).toEqual(['a']);
    registry.send('b', discovered(200, 2n));
    expect(takeAll(registry, 200)).toEqual(['b']);
  });

  it('hands out those first who are due first, whoever came first', () => {
    const { registry } = registryOf();
    for (const peerId of ['c', 'a', 'b']) {
      registry.send(peerId, discovered());
      registry.takeDue(0);
      registry.send(peerId, failed({ a: 1, b: 2, c: 3 }[peerId] ?? 0, 'refused'));
    }
    expect(takeAll(registry, 10 * EPOCH_MS)).toEqual(['a', 'b', 'c']);
  });

  it('takes in no more peers than it may, counts the others, and sends those away that dial us', () => {
    const { registry, effects } = registryOf({ maxPeers: 2 });
    for (const peerId of ['a', 'b', 'c']) registry.send(peerId, discovered());
    registry.send('d', { type: 'inbound', nowMs: 0, epoch: 0 });
    expect(registry.counts(0)).toMatchObject({ known: 2, due: 2, refused: 2 });
    expect(registry.get('c')).toBeUndefined();
    expect(effects).toEqual(['decline d']);
    expect([registry.wants('a', 1n), registry.wants('a', 2n), registry.wants('c', 1n)]).toEqual([false, true, false]);
    expect(registry.counts(0).refused).toBe(3);
  });

  it('wants records that are news', () => {
    const { registry } = registryOf();
    expect(registry.wants('a', 0n)).toBe(true);
    registry.send('a', discovered(0, 4n));
    expect([3n, 4n, 5n].map((sequence) => registry.wants('a', sequence))).toEqual([false, false, true]);
    registry.send('b', { type: 'inbound', nowMs: 0, epoch: 0 });
    expect(registry.wants('b', 0n)).toBe(true);
  });

  it('knows no messages for peers that it does not know', () => {
    const { registry, effects } = registryOf();
    registry.send('a', { type: 'due' });
    registry.send('a', observed(0, 0));
    registry.send('a', failed(0, 'refused'));
    expect(registry.counts(0).known).toBe(0);
    expect(effects).toEqual([]);
  });

  it('lets an effect send to the same peer', () => {
    const seen: string[] = [];
    const registry: Registry = createRegistry({
      clock,
      maxPeers: 9,
      onWake: () => undefined,
      perform: ({ type }, { peerId }) => {
        seen.push(type);
        if (type === 'adopt') registry.send(peerId, { type: 'handshaken' });
      },
    });
    registry.send('a', { type: 'inbound', nowMs: 0, epoch: 0 });
    registry.send('a', { type: 'inbound', nowMs: 0, epoch: 0 });
    expect(seen).toEqual(['adopt', 'decline']);
    expect(registry.get('a')?.phase).toEqual({ name: 'probing' });
  });

  it('counts peers by phase', () => {
    const { registry } = registryOf();
    for (const peerId of ['a', 'b', 'c', 'd']) registry.send(peerId, discovered());
    const [first = '', second = ''] = [registry.takeDue(0)?.peerId, registry.takeDue(0)?.peerId];
    registry.send(first, { type: 'dialed', nowMs: 1, direction: 'outbound' });
    registry.send(second, failed(1, 'refused'));
    expect(registry.counts(1)).toEqual({
      known: 4,
      due: 2,
      refused: 0,
      evicted: 0,
      phases: { known: 2, dialing: 0, handshaking: 1, probing: 0, resting: 0, 'backing-off': 1, forgotten: 0 },
    });
    expect([...registry.records()].map(({ peerId }) => peerId).sort()).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('what is to be saved', () => {
  it('is every peer that changed, once', () => {
    const { registry } = registryOf();
    registry.send('a', discovered());
    registry.send('b', discovered());
    registry.send('a', discovered(5, 2n));
    const { changed, forgotten } = registry.takeChanges();
    expect(changed.map(({ peerId, enrSequence }) => [peerId, enrSequence])).toEqual([
      ['a', 2n],
      ['b', 1n],
    ]);
    expect(forgotten).toEqual([]);
    expect(registry.takeChanges()).toEqual({ changed: [], forgotten: [] });
  });

  it('is not everybody at every tick', () => {
    const { registry } = observedIn0(20);
    registry.tick(1);
    expect(registry.takeChanges().changed).toEqual([]);
    const [peerId = ''] = takeAll(registry, 2 * EPOCH_MS);
    registry.send(peerId, observed(EPOCH_MS, 1));
    expect(registry.takeChanges().changed).toHaveLength(20);
  });

  it('comes again when it could not be saved', () => {
    const { registry } = registryOf();
    registry.send('a', discovered());
    const changes = registry.takeChanges();
    registry.send('a', discovered(5, 2n));
    registry.returnChanges(changes);
    expect(registry.takeChanges().changed).toMatchObject([{ peerId: 'a', enrSequence: 2n }]);
  });

  it('has the ids of those forgotten, unless they are known again', () => {
    const silent: PeerState = {
      ...newPeer('a', 0),
      enr: 'enr:1',
      enrSequence: 1n,
      addresses: ['/ip4/10.0.0.1/tcp/1'],
      failures: 8,
      phase: { name: 'backing-off', untilMs: 5_000 * EPOCH_MS },
    };
    const { registry } = registryOf({ restored: [silent, { ...silent, peerId: 'b' }] });
    registry.tick(1_600);
    expect(registry.get('a')).toBeUndefined();
    expect(registry.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
    registry.send('b', discovered(1_600 * EPOCH_MS));
    const changes = registry.takeChanges();
    expect(changes.changed.map(({ peerId }) => peerId)).toEqual(['b']);
    expect(changes.forgotten).toEqual(['a']);
    registry.returnChanges(changes);
    registry.send('a', discovered(1_600 * EPOCH_MS));
    expect(registry.takeChanges().forgotten).toEqual([]);
  });
});

describe('a registry of an earlier run', () => {
  const restored = (phase: PeerState['phase'], peerId: string = phase.name): PeerState => ({
    ...newPeer(peerId, 0),
    enr: 'enr:7',
    enrSequence: 7n,
    addresses: ['/ip4/10.0.0.1/tcp/1'],
    phase,
    lastObservedEpoch: 4,
  });

  it('has nobody in flight: who was is due again', () => {
    const inFlight = (['dialing', 'handshaking', 'probing'] as const).map((name) => restored({ name }));
    const { registry } = registryOf({ restored: inFlight });
    expect(registry.counts(0)).toMatchObject({ known: 3, due: 3 });
    expect(takeAll(registry, 0).sort()).toEqual(['dialing', 'handshaking', 'probing']);
  });

  it('leaves those alone that back off, and lets the first tick schedule those that rest', () => {
    const { registry } = registryOf({
      restored: [
        restored({ name: 'backing-off', untilMs: 9 * EPOCH_MS }),
        restored({ name: 'resting', untilMs: 4 * EPOCH_MS + 5 }),
        { ...restored({ name: 'resting', untilMs: 5 * EPOCH_MS }, 'observed'), lastObservedEpoch: 6 },
      ],
    });
    expect(registry.nextDueMs()).toBe(9 * EPOCH_MS);
    registry.tick(6);
    expect(takeAll(registry, 7 * EPOCH_MS)).toEqual(['resting']);
    expect(takeAll(registry, 9 * EPOCH_MS)).toEqual(['backing-off']);
  });

  it('does not save anew what it was given, and announces nobody again', () => {
    const { registry } = registryOf({ restored: [restored({ name: 'known' })] });
    expect(registry.takeChanges()).toEqual({ changed: [], forgotten: [] });
    expect(registry.wants('known', 7n)).toBe(false);
  });

  it('takes no more than it may', () => {
    const many = names(10).map((peerId) => restored({ name: 'known' }, peerId));
    expect(registryOf({ restored: many, maxPeers: 4 }).registry.counts(0).known).toBe(4);
  });
});

describe('any course of events', () => {
  const PEERS = ['a', 'b', 'c', 'd', 'e'];
  const event = fc.record({
    kind: fc.constantFrom(
      'discovered',
      'moved',
      'take',
      'observed',
      'refused',
      'full',
      'foreign',
      'inbound',
      'tick',
      'wait',
      'save',
    ),
    peerId: fc.constantFrom(...PEERS),
    waitMs: fc.nat(EPOCH_MS),
  });

  it('keeps the next due time that of the record that is due first, and nobody in flight twice', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), (events) => {
        const { registry } = registryOf({ maxPeers: 4 });
        const inFlight = new Set<string>();
        let nowMs = 0;
        let sequence = 0n;
        for (const { kind, peerId, waitMs } of events) {
          const epoch = clock.epochAt(nowMs);
          if (kind === 'discovered') registry.send(peerId, discovered(nowMs));
          if (kind === 'moved') registry.send(peerId, discovered(nowMs, ++sequence, [`/ip4/10.0.0.${sequence}/tcp/1`]));
          if (kind === 'tick') registry.tick(epoch);
          if (kind === 'wait') nowMs += waitMs;
          if (kind === 'save') registry.takeChanges();
          if (kind === 'take') {
            const peer = registry.takeDue(nowMs);
            if (peer !== null) {
              expect(inFlight.has(peer.peerId)).toBe(false);
              inFlight.add(peer.peerId);
            }
          }
          if (kind === 'inbound') {
            registry.send(peerId, { type: 'inbound', nowMs, epoch });
            if (registry.get(peerId)?.phase.name === 'handshaking') inFlight.add(peerId);
          }
          const end = {
            observed: observed(nowMs, epoch),
            refused: failed(nowMs, 'refused'),
            full: failed(nowMs, 'too_many_peers'),
            foreign: failed(nowMs, 'wrong_fork'),
          }[kind as string];
          if (end !== undefined) {
            registry.send(peerId, end);
            inFlight.delete(peerId);
          }
          const records = [...registry.records()];
          expect(new Set(records.filter(isInFlight).map((record) => record.peerId))).toEqual(inFlight);
          expect(registry.nextDueMs()).toBe(Math.min(Number.POSITIVE_INFINITY, ...records.map(dueAtMs)));
          expect(records.length).toBeLessThanOrEqual(4);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('50,000 peers', () => {
  it('tick quickly, and are handed out in the order of their times', () => {
    const { registry } = observedIn0(50_000, { maxPeers: 50_000 });
    const beganMs = performance.now();
    registry.tick(1);
    // 0.3 s here; the bound is for machines that have much else to do.
    expect(performance.now() - beganMs).toBeLessThan(3_000);
    let lastMs = 0;
    let taken = 0;
    for (let nowMs = registry.nextDueMs(); nowMs < Number.POSITIVE_INFINITY; nowMs = registry.nextDueMs()) {
      if (nowMs < lastMs) throw new Error(`${nowMs} after ${lastMs}`);
      lastMs = nowMs;
      if (registry.takeDue(nowMs) !== null) taken++;
    }
    expect(taken).toBe(50_000);
  });
});
