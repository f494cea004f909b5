import { describe, expect, it } from 'vitest';
import type { Client } from '../../../src/consensus/client.ts';
import { type CombinedInput, combinedEstimate } from '../../../src/consensus/estimators/combined.ts';
import type { Estimate } from '../../../src/consensus/estimators/estimate.ts';
import { mixedEstimate } from '../../../src/consensus/estimators/mixture.ts';

type Bounds = readonly [validators: number | null, low: number, high: number | null];
const estimate = ([validators, low, high]: Bounds): Estimate => ({ validators, low, high });

function combined(custodyGroupCount: number | null, subnets: Bounds | null, fields: Partial<CombinedInput> = {}) {
  return combinedEstimate({
    client: 'Prysm',
    custodyGroupCount,
    subnets: subnets === null ? null : estimate(subnets),
    observations: 225,
    subscribesToAll: false,
    ...fields,
  });
}

describe('combined', () => {
  it.each<[string, number | null, Bounds | null, Bounds, string[]]>([
    ['no custody count: the subnets', null, [30, 20, 40], [30, 20, 40], []],
    ['a supernode: the subnets', 128, [300, 250, 350], [300, 250, 350], ['supernode']],
    ['a semi-supernode, perhaps: the subnets', 64, [3, 1, 6], [3, 1, 6], []],
    ['a pinned stake that the subnets agree with', 30, [33, 26, 40], [30, 26, 30], []],
    ['a pinned stake, and nothing from subnets', 30, null, [30, 1, 30], []],
    ['a pinned stake a little above what subnets say', 42, [33, 26, 40], [42, 26, 42], []],
    ['few large validators', 100, [5, 3, 8], [5, 3, 8], ['custody-conflict']],
    ['no fewer than the largest balance allows', 127, [0.5, 0.1, 1.2], [2, 2, 2], ['custody-conflict']],
    ['more than the stake makes: the stake', 20, [60, 50, 70], [20, 1, 20], ['custody-conflict']],
    ['a little more than the stake makes', 20, [25, 21, 30], [20, 1, 20], []],
    ['a small stake holds the subnets within its bounds', 8, [12, 5, 20], [8, 5, 8], []],
    ['a small stake, nothing seen', 8, [0, 0, 6.6], [1, 1, 6.6], []],
    ['a small stake, and a little more than it allows', 8, [24.8, 8.1, 56.3], [8, 1, 8], []],
    ['a small stake, and more than it allows', 8, [30, 20, 40], [30, 20, 40], ['custody-conflict']],
    ['no stake, nothing seen', 4, [0, 0, 6.6], [0, 0, 6.6], []],
    ['no stake, but sightings', 4, [5, 3, 8], [5, 3, 8], ['custody-conflict']],
    ['saturated: a lower bound', 128, [null, 20_000, null], [null, 20_000, null], ['supernode', 'saturated']],
    ['nothing at all', null, null, [null, 0, null], []],
  ])('%s', (_, custodyGroupCount, subnets, [validators, low, high], flags) => {
    expect(combined(custodyGroupCount, subnets)).toMatchObject({ validators, low, high, flags });
  });

  it('tells stake by the custody count, else from one deposit to the largest a validator may have', () => {
    expect(combined(30, [30, 20, 40])).toMatchObject({ stakeEthLow: 960, stakeEthHigh: 991 });
    expect(combined(128, [200, 150, 250])).toMatchObject({ stakeEthLow: 150 * 32, stakeEthHigh: 250 * 2_048 });
    expect(combined(null, null)).toMatchObject({ stakeEthLow: null, stakeEthHigh: null });
  });

  it.each<[number | null, Bounds | null, boolean | null]>([
    [9, null, true],
    [8, [0, 0, 5], true],
    [4, [0, 0, 5], false],
    [null, [3, 1, 6], true],
    [null, [0, 0, 5], null],
    [null, null, null],
  ])('custody count %s and subnets %j: presence is %s', (custodyGroupCount, subnets, presence) => {
    expect(combined(custodyGroupCount, subnets).presence).toBe(presence);
  });

  it.each<[string, Partial<CombinedInput>]>([
    ['subscribe-all', { subscribesToAll: true }],
    ['unknown-client', { client: 'unknown' }],
    ['unknown-client', { client: 'Caplin' as Client }],
    ['few-observations', { observations: 9 }],
  ])('says %s', (flag, fields) => {
    expect(combined(null, [3, 1, 6], fields).flags).toEqual([flag]);
  });
});

describe('a mixture', () => {
  const of = (...parts: readonly (readonly [number, Bounds])[]) =>
    mixedEstimate(parts.map(([share, bounds]) => ({ share, estimate: estimate(bounds) })));

  it('is the mean by shares, and spans all', () => {
    expect(of([3, [10, 8, 12]], [1, [50, 40, 60]])).toEqual({ validators: 20, low: 8, high: 60 });
  });

  it('has no estimate and no upper bound where one of its parts has none', () => {
    expect(of([1, [10, 8, 12]], [1, [null, 40, null]])).toEqual({ validators: null, low: 8, high: null });
    expect(of()).toBeNull();
  });
});
