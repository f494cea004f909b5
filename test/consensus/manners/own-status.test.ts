import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLIENTS, type Client } from '../../../src/consensus/client.ts';
import { networkClock } from '../../../src/consensus/clock.ts';
import type { Status } from '../../../src/consensus/containers.ts';
import { createOwnStatus } from '../../../src/consensus/manners/own-status.ts';
import type { Network } from '../../../src/consensus/network.ts';
import {
  type ChainState,
  caplin,
  grandine,
  lighthouse,
  lodestar,
  nimbus,
  prysm,
  teku,
  type Verdict,
} from '../../support/consensus/sync-rules.ts';
import { EPOCH_MS, NETWORK } from '../../support/streams/network.ts';

const OLD = '00000001';
const NEW = '00000002';
/** A fork at epoch 90. */
const FORKING: Network = {
  ...NETWORK,
  forkSteps: [
    { epoch: 0, name: 'electra', forkVersion: '05000000', digest: OLD, blobs: null },
    { epoch: 90, name: 'fulu', forkVersion: '06000000', digest: NEW, blobs: null },
  ],
};
const CLOCK = networkClock(FORKING);
const { slotsPerEpoch, slotMs } = FORKING;
const EPOCH = 100;
const ZERO_ROOT = '00'.repeat(32);
const rootOf = (slot: number) => (slot + 1).toString(16).padStart(64, 'b');
const others = ['o1', 'o2', 'o3', 'o4'];

/** A node that has the blocks from `fromSlot` to its head, and its Status. */
function nodeAt(slot: number, { headSlot = slot, finalizedEpoch = 0, fromSlot = 0 } = {}): ChainState {
  const blocks = new Map<number, string>();
  for (let at = fromSlot; at <= headSlot; at++) blocks.set(at, rootOf(at));
  const own: Status = {
    forkDigest: slot >= 90 * slotsPerEpoch ? NEW : OLD,
    finalizedEpoch,
    finalizedRoot: finalizedEpoch === 0 ? ZERO_ROOT : rootOf(finalizedEpoch * slotsPerEpoch),
    headSlot,
    headRoot: rootOf(headSlot),
    earliestAvailableSlot: fromSlot,
  };
  return { currentSlot: slot, slotsPerEpoch, own, blocks };
}

const NOW_SLOT = EPOCH * slotsPerEpoch + 9;
const synced = nodeAt(NOW_SLOT, { headSlot: NOW_SLOT - 1, finalizedEpoch: EPOCH - 2 });
const fromCheckpoint = nodeAt(NOW_SLOT, {
  headSlot: NOW_SLOT - 1,
  finalizedEpoch: EPOCH - 2,
  fromSlot: (EPOCH - 3) * slotsPerEpoch,
});
const syncing = nodeAt(NOW_SLOT, { headSlot: 40 * slotsPerEpoch, finalizedEpoch: 38 });
const momentBehind = nodeAt(NOW_SLOT, { headSlot: NOW_SLOT - 1, finalizedEpoch: EPOCH - 3 });
/** In the first 32 slots the head of nobody is far from zero. */
const YOUNG_SLOT = 20;
const young = nodeAt(YOUNG_SLOT, { headSlot: YOUNG_SLOT - 1 });

const STATES = { synced, 'synced from a checkpoint': fromCheckpoint, syncing, 'a moment behind': momentBehind };
const RULES: Record<Exclude<Client, 'unknown'>, (state: ChainState, said: Status) => Verdict> = {
  Lighthouse: lighthouse,
  Grandine: grandine,
  Lodestar: lodestar,
  Prysm: prysm,
  Teku: teku,
  Nimbus: nimbus,
  Caplin: caplin,
};
const everyClientInEveryState = Object.entries(RULES).flatMap(([client, rule]) =>
  Object.entries(STATES).map(([name, state]) => [client as Client, name, state, rule] as const),
);

/** What is told to peer `p` after it and others have told theirs. */
function toldAfter(client: Client, told: { own?: ChainState; others?: ChainState; nowSlot?: number }): Status | null {
  const ownStatus = createOwnStatus(FORKING, CLOCK);
  const nowMs = (told.nowSlot ?? NOW_SLOT) * slotMs;
  if (told.others !== undefined) for (const other of others) ownStatus.heard(other, told.others.own, nowMs);
  if (told.own !== undefined) ownStatus.heard('p', told.own.own, nowMs);
  return ownStatus.tell('p', client, nowMs);
}

describe('our Status to a peer that has told its own', () => {
  it.each(everyClientInEveryState)('makes %s, %s, do nothing', (client, _, state, rule) => {
    const said = toldAfter(client, { own: state, others: synced });
    if (said === null) throw new Error('there was something to say');
    expect(rule(state, said)).toBe('nothing');
  });

  it.each(Object.entries(RULES))('makes %s do nothing in the first epochs of a network', (client, rule) => {
    const said = toldAfter(client as Client, { own: young, nowSlot: YOUNG_SLOT });
    if (said === null) throw new Error('there was something to say');
    expect(rule(young, said)).toBe('nothing');
  });

  it('is its own head without finality, and nothing to be had before that', () => {
    expect(toldAfter('Lighthouse', { own: synced, others: momentBehind })).toEqual({
      forkDigest: NEW,
      finalizedEpoch: 0,
      finalizedRoot: ZERO_ROOT,
      headSlot: NOW_SLOT - 1,
      headRoot: rootOf(NOW_SLOT - 1),
      earliestAvailableSlot: NOW_SLOT - 1,
    });
  });

  it('is its own to a Grandine, finality and all', () => {
    expect(toldAfter('Grandine', { own: momentBehind, others: synced })).toEqual({
      ...momentBehind.own,
      earliestAvailableSlot: NOW_SLOT - 1,
    });
  });
});

describe('what we do not say, since', () => {
  const zeros = { ...synced.own, finalizedEpoch: 0, finalizedRoot: ZERO_ROOT, headSlot: 0, headRoot: ZERO_ROOT };
  const othersCheckpoint = {
    ...synced.own,
    headSlot: (EPOCH - 2) * slotsPerEpoch,
    headRoot: synced.own.finalizedRoot,
  };

  it.each<[string, Verdict, Verdict]>([
    ['zeros make Nimbus ask for block 0', nimbus(synced, zeros), 'asks for our head'],
    ['zeros make a young Lighthouse ask', lighthouse(young, { ...zeros, forkDigest: OLD }), 'asks for our head'],
    ['a Grandine with slot 0 takes zeros for another chain', grandine(synced, zeros), 'bans us'],
    ['a Teku a moment behind wants proof', teku(momentBehind, othersCheckpoint), 'bans us'],
    ['a Teku that syncs does too', teku(syncing, othersCheckpoint), 'bans us'],
    ['a Lighthouse that syncs would sync from us', lighthouse(syncing, othersCheckpoint), 'syncs from us'],
    ['a Prysm would sync from us', prysm(syncing, othersCheckpoint), 'syncs from us'],
  ])('%s', (_, verdict, expected) => {
    expect(verdict).toBe(expected);
  });
});

describe('our Status to a peer that has told nothing', () => {
  const NOTHING = { finalizedEpoch: 0, finalizedRoot: ZERO_ROOT, headSlot: 0, headRoot: ZERO_ROOT };

  it.each(['Lighthouse', 'Lodestar', 'Prysm', 'Teku', 'Caplin'] as const)('makes a %s do nothing', (client) => {
    const said = toldAfter(client, { others: synced });
    expect(said).toMatchObject({ ...NOTHING, forkDigest: NEW, earliestAvailableSlot: 0 });
    if (said === null) return;
    for (const state of Object.values(STATES)) expect(RULES[client](state, said)).toBe('nothing');
  });

  it('is nothing at all to a Grandine, before others agree on a checkpoint', () => {
    expect(toldAfter('Grandine', {})).toBeNull();
    const said = toldAfter('Grandine', { others: synced });
    expect(said).toMatchObject({
      finalizedEpoch: EPOCH - 2,
      finalizedRoot: rootOf((EPOCH - 2) * slotsPerEpoch),
      headRoot: rootOf((EPOCH - 2) * slotsPerEpoch),
      headSlot: (EPOCH - 2) * slotsPerEpoch,
      earliestAvailableSlot: (EPOCH - 2) * slotsPerEpoch,
    });
    if (said === null) return;
    expect([synced, fromCheckpoint].map((state) => grandine(state, said))).toEqual(['nothing', 'nothing']);
  });

  it.each(['Lighthouse', 'Grandine', 'Nimbus'] as const)(
    'is a head of three others in the first epochs, which a %s has',
    (client) => {
      const early = nodeAt(YOUNG_SLOT, { headSlot: YOUNG_SLOT - 2 });
      const said = toldAfter(client, { others: early, nowSlot: YOUNG_SLOT });
      expect(said).toMatchObject({ ...NOTHING, headSlot: YOUNG_SLOT - 2, headRoot: rootOf(YOUNG_SLOT - 2) });
      if (said !== null) expect(RULES[client](young, said)).toBe('nothing');
      expect(toldAfter(client, { nowSlot: YOUNG_SLOT })).toMatchObject(NOTHING);
    },
  );

  it('carries the digest of the fork that is in force', () => {
    const before = 90 * slotsPerEpoch - 1;
    const digestAt = (nowSlot: number) => toldAfter('Prysm', { nowSlot })?.forkDigest;
    expect([digestAt(before), digestAt(before + 1)]).toEqual([OLD, NEW]);
  });
});

describe('a head', () => {
  const heardAt = (own: Status, afterMs: number) => {
    const ownStatus = createOwnStatus(FORKING, CLOCK);
    ownStatus.heard('p', own, NOW_SLOT * slotMs);
    const nowMs = NOW_SLOT * slotMs + afterMs;
    return { known: ownStatus.knows('p', nowMs), slot: ownStatus.tell('p', 'Nimbus', nowMs)?.headSlot };
  };

  it('is not repeated when it may have been pruned: finality is two epochs behind', () => {
    expect(heardAt(synced.own, 2 * EPOCH_MS)).toEqual({ known: true, slot: NOW_SLOT - 1 });
    expect(heardAt(synced.own, 2 * EPOCH_MS + 1)).toEqual({ known: false, slot: 0 });
  });

  it.each<[string, Partial<Status>]>([
    ['ahead of the clock', { headSlot: NOW_SLOT + 1 }],
    ['of another network', { forkDigest: 'deadbeef' }],
    ['of a fork that was left long ago', { forkDigest: OLD }],
  ])('%s is not repeated', (_, changes) => {
    expect(heardAt({ ...synced.own, ...changes }, 0)).toEqual({ known: false, slot: 0 });
  });

  it('is the newest that the peer has told', () => {
    const ownStatus = createOwnStatus(FORKING, CLOCK);
    const nowMs = NOW_SLOT * slotMs;
    for (const { own } of [synced, syncing]) ownStatus.heard('p', own, nowMs);
    expect(ownStatus.tell('p', 'Prysm', nowMs)?.headSlot).toBe(syncing.own.headSlot);
  });

  it('is forgotten of who was heard of longest ago, when very many are', () => {
    const ownStatus = createOwnStatus(FORKING, CLOCK);
    const nowMs = NOW_SLOT * slotMs;
    for (const peer of ['first', 'p']) ownStatus.heard(peer, synced.own, nowMs);
    for (let index = 0; index < 19_999; index++) ownStatus.heard(`o${index}`, synced.own, nowMs);
    expect([ownStatus.knows('first', nowMs), ownStatus.knows('p', nowMs)]).toEqual([false, true]);
  });
});

const anyStatus: fc.Arbitrary<Status> = fc.record({
  forkDigest: fc.constantFrom(OLD, NEW, 'deadbeef'),
  finalizedEpoch: fc.nat(EPOCH + 5),
  finalizedRoot: fc.constantFrom(ZERO_ROOT, rootOf(1), rootOf(2)),
  headSlot: fc.oneof(fc.nat(NOW_SLOT + 100), fc.constant(Number.MAX_SAFE_INTEGER)),
  headRoot: fc.constantFrom(ZERO_ROOT, rootOf(3), rootOf(4), rootOf(5)),
  earliestAvailableSlot: fc.nat(NOW_SLOT),
});
const sayings = fc.array(
  fc.record({ peer: fc.constantFrom('p', ...others), status: anyStatus, waitMs: fc.nat(EPOCH_MS) }),
  { maxLength: 40 },
);

describe('whatever is heard', () => {
  it('nobody is told a finality or a head that is neither its own nor that of three others', () => {
    fc.assert(
      fc.property(sayings, fc.constantFrom(...CLIENTS), fc.nat(NOW_SLOT), (sequence, client, fromSlot) => {
        const ownStatus = createOwnStatus(FORKING, CLOCK);
        let nowMs = fromSlot * slotMs;
        const heard: { peer: string; status: Status }[] = [];
        for (const { peer, status, waitMs } of sequence) {
          nowMs += waitMs;
          ownStatus.heard(peer, status, nowMs);
          heard.push({ peer, status });
        }
        const said = ownStatus.tell('p', client, nowMs);
        if (said === null) {
          expect(client).toBe('Grandine');
          return;
        }
        const saidBy = (claims: (status: Status) => boolean) =>
          new Set(heard.filter(({ status }) => claims(status)).map(({ peer }) => peer));
        const isBorne = (who: ReadonlySet<string>) => who.has('p') || who.size >= 3;
        expect(said.headSlot).toBeLessThanOrEqual(CLOCK.slotAt(nowMs));
        expect(said.earliestAvailableSlot).toBe(said.headSlot);
        if (client !== 'Grandine') expect(said).toMatchObject({ finalizedEpoch: 0, finalizedRoot: ZERO_ROOT });
        if (said.finalizedRoot !== ZERO_ROOT) {
          expect(isBorne(saidBy(({ finalizedRoot }) => finalizedRoot === said.finalizedRoot))).toBe(true);
        }
        if (said.headRoot !== ZERO_ROOT) {
          const { headRoot: root } = said;
          expect(isBorne(saidBy((status) => status.headRoot === root || status.finalizedRoot === root))).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
