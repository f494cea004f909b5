import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { depthText, type Level, levelAfter } from '../../../src/programs/event-path/spool-level.ts';

const LIMITS = { maxBytes: 1_000, maxAgeMs: 100_000 };
const NOW_MS = 1_000_000;
const depth = (bytes: number, ageMs: number | null = null) => ({
  entries: 3,
  bytes,
  oldestMs: ageMs === null ? null : NOW_MS - ageMs,
});

describe('how full the spool is', () => {
  it.each<[before: Level, bytes: number, after: Level]>([
    ['roomy', 799, 'roomy'],
    ['roomy', 800, 'filling'],
    ['roomy', 980, 'full'],
    // It has to be three hundredths less before it is said that there is room again.
    ['filling', 770, 'filling'],
    ['filling', 769, 'roomy'],
    ['full', 950, 'full'],
    ['full', 949, 'filling'],
    ['full', 700, 'roomy'],
  ])('after %s, %i of 1,000 bytes are %s', (before, bytes, after) => {
    expect(levelAfter(before, depth(bytes), LIMITS, NOW_MS)).toBe(after);
  });

  it('an oldest event of the greatest age makes it full, whatever its bytes', () => {
    expect(levelAfter('roomy', depth(1, 99_999), LIMITS, NOW_MS)).toBe('filling');
    expect(levelAfter('roomy', depth(1, 100_000), LIMITS, NOW_MS)).toBe('full');
  });

  it('never says that there is more room when there is less', () => {
    const order: readonly Level[] = ['roomy', 'filling', 'full'];
    const level = fc.constantFrom(...order);
    fc.assert(
      fc.property(level, fc.nat(2_000), fc.nat(2_000), (before, a, b) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)].map((bytes) =>
          order.indexOf(levelAfter(before, depth(bytes), LIMITS, NOW_MS)),
        );
        expect(less).toBeLessThanOrEqual(more ?? 0);
      }),
    );
  });

  it('is told in words', () => {
    expect(depthText(depth(995, 61_000), LIMITS, NOW_MS)).toBe(
      'the event log on disk is 99 % full: 3 events wait, 995 B of 1000 B, the oldest for 01:01 of 01:40',
    );
  });
});
