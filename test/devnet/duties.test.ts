import { describe, expect, it } from 'vitest';
import { CLIENT_NAMES } from '../../src/devnet/clients.ts';
import {
  aggregatorProbability,
  attestationSubnet,
  committeesPerSlot,
  dutiesOf,
  subnetsFor,
  syncSubnetsOf,
  visibleFrom,
} from '../../src/devnet/duties.ts';

describe('committees and aggregators', () => {
  it.each([
    { active: 1_000_000, committees: 64, probability: 1 / 30 },
    { active: 262_144, committees: 64, probability: 1 / 8 },
    { active: 262_143, committees: 63, probability: 1 / 8 },
    { active: 1_900, committees: 1, probability: 1 / 3 },
    { active: 64, committees: 1, probability: 1 },
  ])('of $active validators', ({ active, committees, probability }) => {
    expect(committeesPerSlot(active)).toBe(committees);
    expect(aggregatorProbability(active)).toBeCloseTo(probability, 12);
  });

  it('map a committee to its own subnet only where there are 64 a slot', () => {
    expect(attestationSubnet(64, 1000, 17)).toBe(17);
    expect(attestationSubnet(1, 32 * 5 + 20, 0)).toBe(20);
    expect(attestationSubnet(3, 32 * 5 + 30, 2)).toBe((3 * 30 + 2) % 64);
  });
});

describe('duties', () => {
  const holder = { seed: 1, index: 0, validators: 20_000, activeValidators: 1_000_000 };

  it('are a pure function of seed, node and epoch', () => {
    expect(dutiesOf(holder, 10)).toEqual(dutiesOf({ ...holder }, 10));
    expect(dutiesOf(holder, 10)).not.toEqual(
      dutiesOf(holder, 11).map(({ slot, subnet }) => ({ slot: slot - 32, subnet })),
    );
    expect(dutiesOf(holder, 10)).not.toEqual(dutiesOf({ ...holder, index: 1 }, 10));
    expect(dutiesOf(holder, 10)).not.toEqual(dutiesOf({ ...holder, seed: 2 }, 10));
  });

  it('fall on a thirtieth of the validators, in the epoch, over all slots and subnets', () => {
    const duties = dutiesOf(holder, 10);
    const expected = 20_000 / 30;
    expect(Math.abs(duties.length - expected)).toBeLessThan(4 * Math.sqrt(expected));
    expect(new Set(duties.map((duty) => duty.subnet)).size).toBe(64);
    expect(new Set(duties.map((duty) => duty.slot)).size).toBe(32);
    for (const { slot } of duties) expect(Math.floor(slot / 32)).toBe(10);
  });

  it('follow the slot in a network with one committee a slot', () => {
    for (const { slot, subnet } of dutiesOf({ ...holder, activeValidators: 1_900 }, 10)) expect(subnet).toBe(slot % 32);
  });

  it('put 512 of all validators in the sync committee, for a period', () => {
    const members = { ...holder, validators: 1, activeValidators: 10_000 };
    let nodes = 0;
    for (let index = 0; index < 10_000; index++) nodes += syncSubnetsOf({ ...members, index }, 10).length;
    expect(Math.abs(nodes - 512)).toBeLessThan(4 * Math.sqrt(512));
    expect(syncSubnetsOf(holder, 10)).toEqual(syncSubnetsOf(holder, 255));
  });
});

/** Duty slots that a client shows at slot t, tau slots into its epoch. */
const WINDOWS: Readonly<Record<(typeof CLIENT_NAMES)[number], (tau: number) => number>> = {
  Lighthouse: () => 2,
  Grandine: () => 2,
  Lodestar: () => 3,
  Nimbus: () => 4,
  Prysm: (tau) => 33 - tau,
  Teku: (tau) => 64 - tau,
};

describe.each(CLIENT_NAMES)('%s', (client) => {
  it('shows the duty slots that it is known to show, from the present one on', () => {
    for (let tau = 0; tau < 32; tau++) {
      const now = 320 + tau;
      const shown: number[] = [];
      for (let slot = 256; slot < 512; slot++)
        if (subnetsFor(client, [{ slot, subnet: 5 }], now).length > 0) shown.push(slot);
      expect(shown).toEqual(Array.from({ length: WINDOWS[client](tau) }, (_, ahead) => now + ahead));
    }
  });

  it('subscribes at one slot and leaves after the duty', () => {
    const duties = [{ slot: 350, subnet: 9 }];
    const from = visibleFrom(client, 350);
    expect(subnetsFor(client, duties, from - 1)).toEqual([]);
    expect(subnetsFor(client, duties, from)).toEqual([9]);
    expect(subnetsFor(client, duties, 350)).toEqual([9]);
    expect(subnetsFor(client, duties, 351)).toEqual([]);
  });

  it.each([10, 100, 1000])('shows as many of 62 subnets as the model says, with %i validators', (validators) => {
    // consensus-p2p.md, section 6: a = p w / (32 * 64), E[K] = 62 (1 - exp(-a V)), averaged over the slots of an epoch.
    let expected = 0;
    for (let tau = 0; tau < 32; tau++) {
      const chance = WINDOWS[client](tau) / 30 / (32 * 64);
      expected += (62 * (1 - Math.exp(-chance * validators))) / 32;
    }
    const snapshots = Math.ceil(640_000 / validators / 32) * 32;
    let seen = 0;
    let squares = 0;
    for (let snapshot = 0; snapshot < snapshots; snapshot++) {
      const holder = { seed: 7, index: snapshot, validators, activeValidators: 1_000_000 };
      const duties = [...dutiesOf(holder, 10), ...dutiesOf(holder, 11)];
      const shown = subnetsFor(client, duties, 320 + (snapshot % 32)).filter((subnet) => subnet < 62).length;
      seen += shown;
      squares += shown * shown;
    }
    const mean = seen / snapshots;
    const standardError = Math.sqrt((squares / snapshots - mean * mean) / snapshots);
    expect(Math.abs(mean - expected)).toBeLessThan(4 * standardError);
  });
});
