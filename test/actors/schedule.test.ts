import { describe, expect, it } from 'vitest';
import { backoffMs, visitPhase, visitTimeMs } from '../../src/actors/schedule.ts';
import { networkClock } from '../../src/consensus/clock.ts';
import { CAUSES, type Cause, RETRY_CLASS } from '../../src/consensus/failure.ts';

const EPOCH_MS = 384_000;
const clock = networkClock({ genesisTimeMs: 1_606_824_023_000, slotMs: 12_000, slotsPerEpoch: 32 });

/** How far counts in equal buckets are from even: about the number of buckets for a fair source, with a deviation of its root. */
function chiSquare(values: readonly number[], buckets: number): number {
  const counts = new Array<number>(buckets).fill(0);
  for (const value of values) {
    const bucket = Math.floor(value * buckets);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  const expected = values.length / buckets;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

/** 99.99 % of fair sources stay below this with 63 degrees of freedom. */
const LIMIT_63 = 117;

describe('visitTimeMs', () => {
  it('is a moment in the first four fifths of the epoch', () => {
    for (let index = 0; index < 2_000; index++) {
      const epoch = index * 37;
      const offsetMs = visitTimeMs(clock, `peer-${index}`, epoch) - (1_606_824_023_000 + epoch * EPOCH_MS);
      expect(offsetMs).toBeGreaterThanOrEqual(0);
      expect(offsetMs).toBeLessThan(0.8 * EPOCH_MS);
      expect(Number.isInteger(offsetMs)).toBe(true);
    }
  });

  it('is the same whenever it is asked, and another in another epoch', () => {
    const times = [7, 8].map((epoch) => visitTimeMs(clock, 'a', epoch) - clock.epochStartMs(epoch));
    expect([7, 8].map((epoch) => visitTimeMs(clock, 'a', epoch) - clock.epochStartMs(epoch))).toEqual(times);
    expect(times[0]).not.toBe(times[1]);
  });

  it('spreads the peers of one epoch evenly', () => {
    const phases = Array.from({ length: 20_000 }, (_, index) => visitPhase(`16Uiu2HAm${index}`, 411_392));
    expect(chiSquare(phases, 64)).toBeLessThan(LIMIT_63);
  });

  it('spreads the visits to one peer evenly over the epochs, so that every slot is sampled', () => {
    const phases = Array.from({ length: 20_000 }, (_, index) => visitPhase('16Uiu2HAmPeer', 400_000 + index));
    expect(chiSquare(phases, 64)).toBeLessThan(LIMIT_63);
  });

  it('lets one epoch say nothing about the next', () => {
    const phases = Array.from({ length: 20_000 }, (_, index) => {
      const difference = visitPhase('16Uiu2HAmPeer', index + 1) - visitPhase('16Uiu2HAmPeer', index);
      return difference < 0 ? difference + 1 : difference;
    });
    expect(chiSquare(phases, 64)).toBeLessThan(LIMIT_63);
  });
});

describe('backoffMs', () => {
  const epochs = (cause: Cause, failures: number) => (backoffMs(cause, failures, EPOCH_MS) ?? Number.NaN) / EPOCH_MS;

  it('doubles from a sixteenth of an epoch after a hiccup, up to 64 epochs', () => {
    const waits = Array.from({ length: 12 }, (_, index) => epochs('reset', index + 1));
    expect(waits).toEqual([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32, 64, 64]);
    expect(epochs('reset', 1_000_000)).toBe(64);
  });

  it('doubles from an epoch when the node is likely gone, up to 64 epochs', () => {
    const waits = Array.from({ length: 8 }, (_, index) => epochs('refused', index + 1));
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 64]);
  });

  it('waits for the next tick when the peer is alive, and for a newer record when only that can help', () => {
    expect(backoffMs('rate_limited', 9, EPOCH_MS)).toBeNull();
    expect(backoffMs('wrong_fork', 1, EPOCH_MS)).toBe(Number.POSITIVE_INFINITY);
  });

  it('asks one that is full once more within the epoch, and then once an epoch', () => {
    expect(epochs('too_many_peers', 1)).toBe(1 / 8);
    for (const failures of [2, 3, 9]) expect(backoffMs('too_many_peers', failures, EPOCH_MS)).toBeNull();
  });

  it('knocks some times in two epochs where it is not let in, and then less and less', () => {
    const waits = Array.from({ length: 13 }, (_, index) => epochs('banned', index + 1));
    expect(waits).toEqual([1 / 2, 1 / 2, 1 / 2, 1 / 2, 1, 2, 4, 8, 16, 32, 64, 64, 64]);
    expect(epochs('banned', 1_000_000)).toBe(64);
  });

  it('knows what to do after every cause', () => {
    expect(Object.keys(RETRY_CLASS).sort()).toEqual([...CAUSES].sort());
    for (const cause of CAUSES) {
      for (const failures of [0, 1, 50]) {
        const waitMs = backoffMs(cause, failures, EPOCH_MS);
        if (waitMs !== null) expect(waitMs).toBeGreaterThan(0);
      }
    }
  });
});
