import { defer, expand, map, type Observable, of, type SchedulerLike, timer } from 'rxjs';
import type { NetworkClock } from '../consensus/clock.ts';

/**
 * The current epoch at once, then each epoch as it begins by the network clock. After the machine has slept, the epochs
 * in between are left out. Never completes.
 */
export function epochTick(clock: NetworkClock, scheduler: SchedulerLike): Observable<number> {
  return defer(() => of(clock.epochAt(scheduler.now()))).pipe(
    expand((epoch) =>
      timer(Math.max(0, clock.epochStartMs(epoch + 1) - scheduler.now()), scheduler).pipe(
        map(() => Math.max(epoch + 1, clock.epochAt(scheduler.now()))),
      ),
    ),
  );
}
