import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createPatience } from '../../../src/streams/visits/patience.ts';

it('holds whoever comes for three seconds, and twice as long each time that it comes again, up to a minute', () => {
  const patience = createPatience();
  const held = Array.from({ length: 7 }, (_, index) => patience.holdMs('a', index * 1_000));
  expect(held).toEqual([3_000, 6_000, 12_000, 24_000, 48_000, 60_000, 60_000]);
  expect(patience.holdMs('b', 7_000)).toBe(3_000);
});

it('has forgotten after ten minutes without a word', () => {
  const patience = createPatience();
  for (const atMs of [0, 1, 600_001]) patience.holdMs('a', atMs);
  expect(patience.holdMs('a', 600_001)).toBe(24_000);
  expect(patience.holdMs('a', 1_200_002)).toBe(3_000);
});

it('lets no peer have more connections ended than six in the first minute and then one a minute', () => {
  const gaps = fc.array(fc.nat(5_000), { minLength: 1, maxLength: 400 });
  fc.assert(
    fc.property(gaps, (sequence) => {
      const patience = createPatience();
      let nowMs = 0;
      let ended = 0;
      for (const gapMs of sequence) {
        // A peer that has one connection at a time, and dials again some time after it was left.
        nowMs += patience.holdMs('a', nowMs) + gapMs;
        ended++;
      }
      expect(ended).toBeLessThanOrEqual(6 + nowMs / 60_000);
    }),
  );
});
