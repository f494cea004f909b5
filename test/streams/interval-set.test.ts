import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IntervalSet } from '../../src/streams/interval-set.ts';

describe('IntervalSet', () => {
  it('holds what a Set holds, as the fewest runs', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 })), (numbers) => {
        const model = new Set<number>();
        const set = new IntervalSet();
        for (const number of numbers) {
          set.add(number);
          model.add(number);
          expect(set.has(number)).toBe(true);
        }
        for (let number = -1; number <= 41; number++) expect(set.has(number)).toBe(model.has(number));
        const runs = [...model].filter((number) => !model.has(number - 1)).sort((a, b) => a - b);
        const ends = [...model].filter((number) => !model.has(number + 1)).sort((a, b) => a - b);
        expect(set.runs).toEqual(runs.map((first, index) => ({ first, last: ends[index] })));
      }),
    );
  });

  it('is one run for any number of numbers without gaps, whatever their order', () => {
    const numbers = Array.from({ length: 5_000 }, (_, index) => (index * 1_237) % 5_000);
    const set = new IntervalSet();
    for (const number of numbers) set.add(number);
    expect(set.runs).toEqual([{ first: 0, last: 4_999 }]);
  });

  it('does not change with its copy', () => {
    const set = new IntervalSet([{ first: 3, last: 5 }]);
    set.copy().add(6);
    expect(set.runs).toEqual([{ first: 3, last: 5 }]);
  });
});
