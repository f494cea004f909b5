import { type MonoTypeOperatorFunction, retry, type SchedulerLike, throwError, timer } from 'rxjs';

export interface RetryForeverOptions {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  readonly scheduler: SchedulerLike;
  /** Told before each wait, so that no failure passes unseen. `attempt` counts from 1. */
  readonly onFailure: (failure: { error: unknown; attempt: number; delayMs: number }) => void;
  /** Errors that trying again does not mend; they are passed on. */
  readonly unless?: (error: unknown) => boolean;
}

/**
 * Subscribes again after an error, waiting twice as long each time up to `maxDelayMs`. Use it for work that is bound to
 * succeed once an outage is over; it passes on no error but those of `unless`, so the owner ends it by unsubscribing.
 */
export function retryForever<T>({
  minDelayMs,
  maxDelayMs,
  scheduler,
  onFailure,
  unless = () => false,
}: RetryForeverOptions): MonoTypeOperatorFunction<T> {
  return retry({
    delay: (error: unknown, attempt: number) => {
      if (unless(error)) return throwError(() => error);
      const delayMs = Math.min(maxDelayMs, minDelayMs * 2 ** (attempt - 1));
      onFailure({ error, attempt, delayMs });
      return timer(delayMs, scheduler);
    },
  });
}
