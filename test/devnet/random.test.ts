import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apportion, logUniform, seededRandom, shuffled } from '../../src/devnet/random.ts';

describe('seededRandom', () => {
  it('repeats itself for the same label and for no other', () => {
    const draw = (...label: (string | number)[]) => Array.from({ length: 5 }, seededRandom(...label));
    expect(draw('a', 1)).toEqual(draw('a', 1));
    expect(draw('a', 1)).not.toEqual(draw('a', 2));
    expect(draw('a', 1, 23)).not.toEqual(draw('a', 12, 3));
  });

  it('is uniform: a chi-square test over 64 cells stays within four standard deviations', () => {
    const random = seededRandom('uniform');
    const counts = new Array<number>(64).fill(0);
    const draws = 64_000;
    for (let draw = 0; draw < draws; draw++) {
      const cell = Math.floor(random() * 64);
      counts[cell] = (counts[cell] ?? 0) + 1;
    }
    const chiSquare = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(Math.abs(chiSquare - 63)).toBeLessThan(4 * Math.sqrt(2 * 63));
  });
});

describe('apportion', () => {
  it('sums to the total and is nowhere off by one or more', () => {
    fc.assert(
      fc.property(
        fc.nat(500),
        fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 }),
        (total, shares) => {
          const counts = apportion(total, shares);
          const sum = shares.reduce((left, right) => left + right, 0);
          expect(counts.reduce((left, right) => left + right, 0)).toBe(total);
          for (const [index, count] of counts.entries()) {
            expect(Math.abs(count - (total * (shares[index] ?? 0)) / sum)).toBeLessThan(1);
          }
        },
      ),
    );
  });
});

describe('draws', () => {
  it('logUniform stays within its bounds and reaches both', () => {
    const random = seededRandom('bounds');
    const values = new Set(Array.from({ length: 1000 }, () => logUniform(random, 3, 6)));
    expect([...values].sort()).toEqual([3, 4, 5, 6]);
  });

  it('shuffled keeps every item', () => {
    const items = Array.from({ length: 100 }, (_, index) => index);
    const result = shuffled(seededRandom('shuffle'), items);
    expect(result).not.toEqual(items);
    expect(result.toSorted((left, right) => left - right)).toEqual(items);
  });
});
