import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { networkClock } from '../../src/consensus/clock.ts';
import { builtInNetwork } from '../../src/consensus/networks.ts';

/** Dates of forks as the client teams announced them. */
const FORK_DATES = [
  ['mainnet', 0, '2020-12-01T12:00:23Z'],
  ['mainnet', 364_032, '2025-05-07T10:05:11Z'],
  ['mainnet', 411_392, '2025-12-03T21:49:11Z'],
  ['mainnet', 412_672, '2025-12-09T14:21:11Z'],
  ['mainnet', 419_072, '2026-01-07T01:01:11Z'],
] as const;

describe('the network clock', () => {
  it.each(FORK_DATES)('of %s begins epoch %i at %s', (name, epoch, date) => {
    const clock = networkClock(builtInNetwork(name));
    const atMs = Date.parse(date);
    expect(clock.epochStartMs(epoch)).toBe(atMs);
    expect(clock.slotStartMs(epoch * 32)).toBe(atMs);
    expect(clock.epochAt(atMs)).toBe(epoch);
    expect(clock.epochAt(atMs - 1)).toBe(epoch - 1);
    expect(clock.slotAt(atMs - 1)).toBe(epoch * 32 - 1);
  });

  it('is negative before genesis', () => {
    const clock = networkClock({ genesisTimeMs: 10_000, slotMs: 250, slotsPerEpoch: 8 });
    expect(clock.slotAt(9_999)).toBe(-1);
    expect(clock.epochAt(7_999)).toBe(-2);
    expect(clock.epochMs).toBe(2_000);
  });

  it('puts every instant into the slot and the epoch that contain it', () => {
    const network = fc.record({
      genesisTimeMs: fc.integer({ min: 0, max: 2_000_000_000_000 }),
      slotMs: fc.integer({ min: 50, max: 12_000 }),
      slotsPerEpoch: fc.constantFrom(8, 16, 32),
    });
    fc.assert(
      fc.property(network, fc.integer({ min: 0, max: 4_000_000_000_000 }), (of, unixMs) => {
        const clock = networkClock(of);
        const slot = clock.slotAt(unixMs);
        const epoch = clock.epochAt(unixMs);
        expect(clock.slotStartMs(slot)).toBeLessThanOrEqual(unixMs);
        expect(clock.slotStartMs(slot + 1)).toBeGreaterThan(unixMs);
        expect(epoch).toBe(Math.floor(slot / of.slotsPerEpoch));
        expect(clock.epochStartMs(epoch)).toBe(clock.slotStartMs(epoch * of.slotsPerEpoch));
      }),
    );
  });
});
