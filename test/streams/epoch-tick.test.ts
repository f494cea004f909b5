import { asyncScheduler, map, type SchedulerLike } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { networkClock } from '../../src/consensus/clock.ts';
import { epochTick } from '../../src/streams/epoch-tick.ts';
import { HastyScheduler } from '../support/streams/hasty-scheduler.ts';
import { marbles } from '../support/streams/marbles.ts';

/** Epochs of eight milliseconds. */
const clock = (genesisTimeMs: number) => networkClock({ genesisTimeMs, slotMs: 2, slotsPerEpoch: 4 });

describe('epochTick', () => {
  it('emits the current epoch at once and each epoch as it begins', () => {
    marbles(({ scheduler, expectObservable }) => {
      const ticks$ = epochTick(clock(-19), scheduler).pipe(map(String));
      // 19 ms after genesis: 2 epochs and 3 ms.
      expectObservable(ticks$, '25ms !').toBe('2----3-------4-------5');
    });
  });

  it('counts epochs before genesis too', () => {
    marbles(({ scheduler, expectObservable }) => {
      const ticks$ = epochTick(clock(10), scheduler).pipe(map(String));
      expectObservable(ticks$, '20ms !').toBe('b-a-------0-------1', { b: '-2', a: '-1', 0: '0', 1: '1' });
    });
  });

  it('leaves out the epochs during which the machine has slept', () => {
    marbles(({ scheduler, expectObservable }) => {
      // From 8 ms on, the wall clock is 30 ms ahead of the timers.
      const sleepy: SchedulerLike = {
        now: () => (scheduler.now() < 8 ? scheduler.now() : scheduler.now() + 30),
        schedule: scheduler.schedule.bind(scheduler),
      };
      const ticks$ = epochTick(clock(0), sleepy).pipe(map(String));
      // It is 38 ms then, in epoch 4, which has 2 ms left.
      expectObservable(ticks$, '20ms !').toBe('0-------4-5-------6');
    });
  });

  it('does not repeat an epoch when the timer fires a moment early', () => {
    const scheduler = new HastyScheduler(1);
    const ticks: string[] = [];
    const subscription = epochTick(clock(0), scheduler).subscribe((epoch) => ticks.push(`${scheduler.now()} ${epoch}`));
    scheduler.maxFrames = 30;
    scheduler.flush();
    subscription.unsubscribe();
    expect(ticks).toEqual(['0 0', '7 1', '15 2', '23 3']);
  });

  it('takes the time of the scheduler when subscribed to, not when made', () => {
    const ticks$ = epochTick(networkClock({ genesisTimeMs: 0, slotMs: 12_000, slotsPerEpoch: 32 }), asyncScheduler);
    const seen: number[] = [];
    const before = Math.floor(Date.now() / 384_000);
    ticks$.subscribe((epoch) => seen.push(epoch)).unsubscribe();
    expect(seen).toHaveLength(1);
    expect([before, before + 1]).toContain(seen[0]);
  });
});
