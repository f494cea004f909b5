import { describe, expect, it, vi } from 'vitest';
import { createRegistry } from '../../src/actors/registry.ts';
import { networkClock } from '../../src/consensus/clock.ts';
import { failure } from '../../src/consensus/failure.ts';

const lengths = vi.hoisted(() => ({ longest: 0 }));

/** The real queue, which says how long it gets. */
vi.mock('tinyqueue', async (original) => {
  const { default: TinyQueue } = await original<typeof import('tinyqueue')>();
  return {
    default: class<T> extends TinyQueue<T> {
      override push(item: T): void {
        super.push(item);
        lengths.longest = Math.max(lengths.longest, this.length);
      }
    },
  };
});

const EPOCH_MS = 32_000;

describe('the queue of due times', () => {
  it('does not grow with the number of times that one peer has moved, and keeps its order', () => {
    const clock = networkClock({ genesisTimeMs: 0, slotMs: 1_000, slotsPerEpoch: 32 });
    const registry = createRegistry({ clock, maxPeers: 9, perform: () => undefined, onWake: () => undefined });
    for (let round = 1; round <= 10_000; round++) {
      const addresses = [`/ip4/10.0.0.1/tcp/${round}`];
      registry.send('a', {
        type: 'discovered',
        enr: `enr:${round}`,
        enrSequence: BigInt(round),
        addresses,
        nowMs: round,
      });
      expect(registry.takeDue(round)?.peerId).toBe('a');
      const refused = failure('dial', 'refused');
      // Each round leaves an entry an epoch ahead, which the next move makes stale.
      registry.send('a', { type: 'failed', failure: refused, dialed: addresses, nowMs: round, epochMs: EPOCH_MS });
    }
    expect(lengths.longest).toBeGreaterThan(1_000);
    expect(lengths.longest).toBeLessThan(1_100);
    expect(registry.nextDueMs()).toBe(10_000 + EPOCH_MS);
    expect(registry.takeDue(10_000 + EPOCH_MS)?.peerId).toBe('a');
    expect(registry.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
  });
});
