import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { CLIENT_WINDOWS } from '../../../src/consensus/estimators/client-windows.ts';
import { combinedEstimate } from '../../../src/consensus/estimators/combined.ts';
import { estimatorModel } from '../../../src/consensus/estimators/estimator-network.ts';
import { exposures } from '../../../src/consensus/estimators/exposure.ts';
import { addObservation, NO_STATISTICS } from '../../../src/consensus/estimators/subnet-statistics.ts';
import { subnetsEstimate } from '../../../src/consensus/estimators/subnets.ts';
import { NETWORK, slotsSeenThrough } from '../../support/consensus/estimators.ts';

/** The example of docs/methodology.md, whose figures were worked out by hand. */
function sighted(subnetsLit: number) {
  const { rules } = estimatorModel(NETWORK);
  let statistics = NO_STATISTICS;
  for (let epoch = 0; epoch < 225; epoch++) {
    const visible = slotsSeenThrough('Lighthouse', epoch * 32);
    const lit = new Set([0, 1, ...(epoch < subnetsLit ? [20] : [])]);
    // All looks at one time, as the hand has them: nothing has faded.
    statistics = addObservation(statistics, {
      atMs: 0,
      visible,
      exposures: exposures(rules, visible, new Set([0, 1]), lit),
    });
  }
  return subnetsEstimate(statistics);
}

describe('the worked example of the methodology', () => {
  it('is what the program makes of it', () => {
    const estimate = sighted(45);
    expect(estimate?.validators).toBeCloseTo(99.3, 1);
    expect(estimate?.low).toBeCloseTo(76.9, 1);
    expect(estimate?.high).toBeCloseTo(125.6, 1);
    expect(sighted(0)).toMatchObject({ validators: 0, low: 0 });
    expect(sighted(0)?.high).toBeCloseTo(6.6, 1);
    const combined = combinedEstimate({
      ...{ client: 'Lighthouse', custodyGroupCount: 100, subnets: estimate, observations: 225, subscribesToAll: false },
    });
    expect(combined).toMatchObject({ validators: 100, high: 100, stakeEthLow: 3_200, stakeEthHigh: 3_231, flags: [] });
    expect(combined.low).toBeCloseTo(76.9, 1);
  });

  it('is told of there with these figures, and with the window of every client', async () => {
    const text = await readFile(new URL('../../../docs/methodology.md', import.meta.url), 'utf8');
    for (const figure of ['3.2553e-5', '99.3', '76.9', '125.6', '6.6', '3,200', '3,231'])
      expect(text).toContain(figure);
    for (const client of Object.keys(CLIENT_WINDOWS)) expect(text).toMatch(new RegExp(`^\\| ${client} \\|`, 'm'));
  });
});
