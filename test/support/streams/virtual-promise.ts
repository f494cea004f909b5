import type { SchedulerLike } from 'rxjs';

/**
 * A promise that settles in virtual time. A real one would wait for a tick of the machine, which does not come while a
 * virtual scheduler runs.
 */
export function virtualPromise(scheduler: SchedulerLike, afterMs: number, error: Error | null = null): Promise<void> {
  const promise = new Promise<void>(() => undefined);
  const then: Promise<void>['then'] = (onFulfilled, onRejected) => {
    scheduler.schedule(() => {
      if (error === null) onFulfilled?.();
      else onRejected?.(error);
    }, afterMs);
    return new Promise(() => undefined);
  };
  return Object.assign(promise, { then });
}
