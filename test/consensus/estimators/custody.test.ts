import { describe, expect, it } from 'vitest';
import type { Client } from '../../../src/consensus/client.ts';
import { custodyEstimate, readCustody } from '../../../src/consensus/estimators/custody.ts';

/** get_validators_custody_requirement (fulu/validator.md), as the specification has it. */
const groupsOf = (stakeEth: number) => Math.min(Math.max(Math.floor(stakeEth / 32), 8), 128);

describe('the custody group count', () => {
  it.each<[number, number, number, number, number]>([
    // count, stake, validators; a count below 32 ETH a group more.
    [4, 0, 0, 0, 0],
    [8, 1, 287, 1, 8],
    [9, 288, 319, 1, 9],
    [63, 2_016, 2_047, 1, 63],
    [65, 2_080, 2_111, 2, 65],
    [127, 4_064, 4_095, 2, 127],
  ])('%d says %d to %d ETH, %d to %d validators', (count, stakeLow, stakeHigh, low, high) => {
    expect(readCustody(count, 'Prysm')).toMatchObject({
      stakeEth: { low: stakeLow, high: stakeHigh },
      validators: { low, high },
      pinned: count > 8,
    });
  });

  it.each([null, -1, 0, 3, 5, 6, 7, 64, 128, 129, 1e9])('%s says nothing', (count) => {
    expect(readCustody(count, 'Prysm')).toEqual({ stakeEth: null, validators: null, pinned: false });
    expect(custodyEstimate(readCustody(count, 'Prysm'))).toBeNull();
  });

  it.each([4, 8, 50, 128])('%d says nothing of Nimbus, which counts only what runs inside it', (count) => {
    expect(readCustody(count, 'Nimbus').validators).toBeNull();
  });

  it('is read as the specification makes it, for every stake', () => {
    const client: Client = 'Lighthouse';
    for (let stakeEth = 1; stakeEth < 5_000; stakeEth++) {
      const { stakeEth: said } = readCustody(groupsOf(stakeEth), client);
      if (said === null) continue;
      expect(said.low).toBeLessThanOrEqual(stakeEth);
      expect(said.high).toBeGreaterThanOrEqual(stakeEth);
    }
  });

  it('alone is taken for validators of 32 ETH where it pins the stake, else for the middle', () => {
    expect(custodyEstimate(readCustody(100, 'Teku'))).toEqual({ validators: 100, low: 2, high: 100 });
    expect(custodyEstimate(readCustody(8, 'Teku'))).toEqual({ validators: 4.5, low: 1, high: 8 });
    expect(custodyEstimate(readCustody(4, 'Teku'))).toEqual({ validators: 0, low: 0, high: 0 });
  });
});
