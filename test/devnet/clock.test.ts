import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { slotAt, slots } from '../../src/devnet/clock.ts';

describe('slots', () => {
  const clock = { genesisTimeMs: -1050, slotMs: 100 };

  it('begin with the present one and follow the clock without drift', () => {
    const scheduler = new VirtualTimeScheduler(undefined, 1000);
    const seen: [number, number][] = [];
    slots(clock, scheduler).subscribe((slot) => seen.push([slot, scheduler.now()]));
    scheduler.flush();
    expect(seen.slice(0, 4)).toEqual([
      [10, 0],
      [11, 50],
      [12, 150],
      [13, 250],
    ]);
    for (const [slot, at] of seen.slice(1)) expect(at).toBe(clock.genesisTimeMs + slot * clock.slotMs);
    expect(seen.length).toBe(11);
  });

  it('are left out, not made up for, when the process was held up', () => {
    const scheduler = new VirtualTimeScheduler(undefined, 1000);
    const seen: number[] = [];
    slots(clock, scheduler).subscribe((slot) => {
      seen.push(slot);
      // As if this slot's work had taken until 330.
      if (slot === 11) scheduler.frame = 330;
    });
    scheduler.flush();
    expect(seen.slice(0, 5)).toEqual([10, 11, 13, 14, 15]);
  });

  it('end with the subscription', () => {
    const scheduler = new VirtualTimeScheduler(undefined, 1000);
    const seen: number[] = [];
    const subscription = slots(clock, scheduler).subscribe((slot) => {
      seen.push(slot);
      if (slot === 12) subscription.unsubscribe();
    });
    scheduler.flush();
    expect(seen).toEqual([10, 11, 12]);
  });

  it('count from genesis', () => {
    expect(slotAt({ genesisTimeMs: 1000, slotMs: 250 }, 1499)).toBe(1);
    expect(slotAt({ genesisTimeMs: 1000, slotMs: 250 }, 1500)).toBe(2);
  });
});
