import { asyncScheduler, Observable, type SchedulerLike } from 'rxjs';

/** Slots of the devnet in Unix milliseconds. */
export interface DevnetClock {
  readonly genesisTimeMs: number;
  readonly slotMs: number;
}

export function slotAt({ genesisTimeMs, slotMs }: DevnetClock, unixMs: number): number {
  return Math.floor((unixMs - genesisTimeMs) / slotMs);
}

/**
 * The present slot at once, then each slot when it begins, until unsubscribed. Every wait is computed from the clock
 * anew, so that lateness never adds up; slots that passed while the process was held up are left out.
 */
export function slots(clock: DevnetClock, scheduler: SchedulerLike = asyncScheduler): Observable<number> {
  return new Observable((subscriber) => {
    let last = Number.NEGATIVE_INFINITY;
    return scheduler.schedule(function tick() {
      const slot = slotAt(clock, scheduler.now());
      if (slot > last) {
        last = slot;
        subscriber.next(slot);
      }
      // A timer may fire a fraction of a millisecond early; it is then set once more for the same slot.
      this.schedule(undefined, Math.max(1, clock.genesisTimeMs + (last + 1) * clock.slotMs - scheduler.now()));
    });
  });
}
