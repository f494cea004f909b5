import { Observable, type SchedulerLike, type Subscription } from 'rxjs';
import type { Slots } from './slots.ts';

/** Timers of the platform do not run longer; one that fires early is set again. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Something that hands out items one by one, each at or after its time. */
export interface PullSource<T> {
  /** The next item due at `nowMs`, or `null`. */
  take(nowMs: number): T | null;
  /** When the next item will be due, in scheduler time; Infinity when nothing waits. */
  nextDueMs(): number;
  /** Emits when an item may have become due earlier than `nextDueMs` said. */
  readonly wake$: Observable<void>;
}

/**
 * Backpressure by pulling: emits an item only when it is due and a slot could be taken for it. What waits stays in the
 * source. The slot belongs to the item from then on, and whoever ends the item releases it.
 *
 * Never completes by itself; unsubscribing stops the handing out and leaves taken slots to their owners.
 */
export function pull<T>(source: PullSource<T>, slots: Slots, scheduler: SchedulerLike): Observable<T> {
  return new Observable<T>((subscriber) => {
    let timer: Subscription | undefined;
    let timerDueMs = Number.POSITIVE_INFINITY;
    let handingOut = false;

    const handOut = () => {
      if (handingOut) return;
      handingOut = true;
      while (!subscriber.closed && slots.tryTake()) {
        const item = source.take(scheduler.now());
        if (item === null) {
          slots.release();
          break;
        }
        subscriber.next(item);
      }
      handingOut = false;
      sleepUntilDue();
    };

    const onTimer = () => {
      // A timer may fire a moment early; the item it was for is then still waiting, and needs another.
      timer = undefined;
      handOut();
    };

    const sleepUntilDue = () => {
      const dueMs = source.nextDueMs();
      if (timer !== undefined && dueMs === timerDueMs) return;
      timer?.unsubscribe();
      timer = undefined;
      timerDueMs = dueMs;
      if (subscriber.closed || dueMs === Number.POSITIVE_INFINITY || slots.taken >= slots.limit) return;
      timer = scheduler.schedule(onTimer, Math.min(Math.max(0, dueMs - scheduler.now()), MAX_TIMER_MS));
    };

    subscriber.add(slots.freed$.subscribe(handOut));
    subscriber.add(source.wake$.subscribe(() => !handingOut && sleepUntilDue()));
    subscriber.add(() => timer?.unsubscribe());
    handOut();
  });
}
