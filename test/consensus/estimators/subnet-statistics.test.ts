import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dutyRules } from '../../../src/consensus/estimators/committees.ts';
import { exposures } from '../../../src/consensus/estimators/exposure.ts';
import {
  addObservation,
  mergeStatistics,
  NO_STATISTICS,
  type SubnetObservation,
  type SubnetStatistics,
} from '../../../src/consensus/estimators/subnet-statistics.ts';
import { subnetsEstimate } from '../../../src/consensus/estimators/subnets.ts';
import { EPOCH_MS, slotsSeenThrough } from '../../support/consensus/estimators.ts';

const rules = dutyRules(1_000_000, 32);
const EPOCHS_PER_DAY = 225;

function prysmIn(epoch: number, lit: readonly number[], slotInEpoch = 0): SubnetObservation {
  const visible = slotsSeenThrough('Prysm', epoch * 32 + slotInEpoch);
  return { atMs: epoch * EPOCH_MS, visible, exposures: exposures(rules, visible, new Set(), new Set(lit)) };
}

function statisticsOf(observations: readonly SubnetObservation[]): SubnetStatistics {
  return observations.reduce((sum, observation) => addObservation(sum, observation), NO_STATISTICS);
}

const anyObservation = fc
  .tuple(fc.integer({ min: 0, max: 20_000 }), fc.uniqueArray(fc.integer({ min: 0, max: 63 })), fc.nat({ max: 31 }))
  .map(([epoch, lit, slot]) => prysmIn(epoch, lit, slot));
const someObservations = fc.array(anyObservation, { minLength: 1, maxLength: 30 });

/** Equal but for rounding; which observations are neighbours depends on their order. */
function expectAlike(actual: SubnetStatistics, expected: SubnetStatistics): void {
  for (const name of ['observations', 'updatedMs', 'firstMs', 'lastMs'] as const)
    expect(actual[name]).toBe(expected[name]);
  expect(actual.weight).toBeCloseTo(expected.weight, 3);
  for (const name of ['subnets', 'lit', 'hazard'] as const) {
    const sum = (statistics: SubnetStatistics) => statistics.bins.reduce((total, bin) => total + bin[name], 0);
    expect(Math.abs(sum(actual) - sum(expected))).toBeLessThanOrEqual(1e-4 * sum(expected) + 1e-5);
  }
}

describe('subnet statistics', () => {
  it('are the same whatever the order of the observations, but for rounding', () => {
    const shuffled = someObservations.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, ([list, others]) => {
        expectAlike(statisticsOf(others), statisticsOf(list));
      }),
    );
  });

  it('of two lots are those of all observations', () => {
    fc.assert(
      fc.property(someObservations, someObservations, (some, others) => {
        expectAlike(mergeStatistics(statisticsOf(some), statisticsOf(others)), statisticsOf([...some, ...others]));
      }),
    );
  });

  it('give finite, ordered estimates however old and whatever was seen', () => {
    fc.assert(
      fc.property(someObservations, (list) => {
        const estimate = subnetsEstimate(statisticsOf(list));
        expect(estimate).not.toBeNull();
        const { validators, low, high } = estimate ?? { validators: Number.NaN, low: 0, high: 0 };
        expect(low).toBeGreaterThanOrEqual(0);
        if (validators === null) return expect(high).toBeNull();
        expect(Number.isFinite(validators)).toBe(true);
        expect(validators).toBeGreaterThanOrEqual(low);
        expect(high).toBeGreaterThanOrEqual(validators);
      }),
    );
  });

  it('halve the weight of what is a week old', () => {
    const week = (7 * 24 * 3_600_000) / EPOCH_MS;
    const { weight, weightSquared } = statisticsOf([prysmIn(0, []), prysmIn(week, [])]);
    expect(weight).toBeCloseTo(1.5, 6);
    expect(weightSquared).toBeCloseTo(1.25, 6);
  });

  it('let a node that has lost its validators come down, half of it in a week', () => {
    const days = (from: number, to: number, lit: readonly number[]) =>
      Array.from({ length: (to - from) * EPOCHS_PER_DAY }, (_, index) => prysmIn(from * EPOCHS_PER_DAY + index, lit));
    const before = statisticsOf(days(0, 60, [5, 9]));
    const estimateAfter = (lost: number) =>
      subnetsEstimate(days(60, 60 + lost, []).reduce((sum, one) => addObservation(sum, one), before))?.validators ?? 0;
    const full = estimateAfter(0);
    expect(full).toBeGreaterThan(50);
    expect(estimateAfter(7) / full).toBeCloseTo(0.5, 1);
    expect(estimateAfter(28) / full).toBeLessThan(0.08);
  });

  it('stay small: a year of observations has no more bins than a month', () => {
    const watched = (epochs: number) =>
      statisticsOf(Array.from({ length: epochs }, (_, epoch) => prysmIn(epoch, [epoch % 64], (epoch * 7) % 32)));
    expect(watched(2_000).bins.length).toBeLessThanOrEqual(25);
    expect(watched(20_000).bins.length).toBe(watched(2_000).bins.length);
  });
});
