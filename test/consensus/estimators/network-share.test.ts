import { describe, expect, it } from 'vitest';
import { dutyRules } from '../../../src/consensus/estimators/committees.ts';
import { withinNetwork } from '../../../src/consensus/estimators/network-share.ts';

describe('a share of the network', () => {
  it('is given back where each place of a committee is the node’s with the probability of its share', () => {
    // 2,000 validators: one committee a slot of 62, one aggregator in 3. The node has 300 of them.
    const rules = dutyRules(2_000, 32);
    const dark = (1 - 0.15 / 3) ** 62;
    const drawnByThemselves = -Math.log(dark) / ((62 / 2_000) * (1 / 3));
    expect(drawnByThemselves).toBeGreaterThan(307);
    const estimate = withinNetwork({ validators: drawnByThemselves, low: drawnByThemselves, high: null }, rules);
    expect(estimate.validators).toBeCloseTo(300, 6);
    expect(estimate.low).toBeCloseTo(300, 6);
    expect(estimate.high).toBeNull();
  });

  it('changes next to nothing on mainnet', () => {
    const rules = dutyRules(1_000_000, 32);
    const { validators, low, high } = withinNetwork({ validators: 3_000, low: 0, high: 4_000 }, rules);
    expect(validators).toBeCloseTo(3_000, 0);
    expect(low).toBeCloseTo(0, 9);
    expect(high).toBeCloseTo(4_000, 0);
    expect(withinNetwork({ validators: null, low: 5, high: null }, rules).validators).toBeNull();
  });
});
