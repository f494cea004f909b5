import {
  catchError,
  concat,
  concatMap,
  defer,
  dematerialize,
  ignoreElements,
  materialize,
  type Observable,
  type ObservableInput,
  type ObservableNotification,
  of,
  type SchedulerLike,
  switchMap,
  takeUntil,
  throwError,
  timeout,
  timer,
} from 'rxjs';

/** A part of the program that runs until it fails or is stopped. */
export interface Part {
  /** Errors when the part has failed; does not complete before it is stopped. */
  readonly failed$: Observable<never>;
  /** Gives back all it holds: ports, connections, files. Works for a part that has failed, too. */
  stop(): ObservableInput<unknown>;
}

export type PartState<P> =
  | { readonly type: 'running'; readonly part: P }
  /** It has failed and has been stopped; it is started again after `delayMs`. */
  | { readonly type: 'waiting'; readonly error: unknown; readonly delayMs: number };

export interface RestartPolicy {
  /** Before the first restart; twice as long before each one that follows, up to `maxDelayMs`. */
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** A part that has run this long is well: the next failure waits `minDelayMs` again. */
  readonly wellAfterMs: number;
  /** With so many failures within `withinMs` the part is given up. */
  readonly maxFailures: number;
  readonly withinMs: number;
  /** A failed part that has not stopped by then is left behind. */
  readonly stopMs: number;
}

/** A part has failed too often. The message names it and says why. */
export class PartFailedError extends Error {
  override readonly name = 'PartFailedError';
}

/**
 * Starts a part and starts it again whenever it fails, after what failed has given back what it held. Completes after
 * `stop$` has emitted, which it must also do for late subscribers, and the part is stopped.
 *
 * Errors with what the very first start has failed with, since that is for the user to put right; later with a
 * PartFailedError when there were too many failures. The part is stopped then as well.
 */
export function supervise<P extends Part>(
  name: string,
  start: () => ObservableInput<P>,
  stop$: Observable<unknown>,
  policy: RestartPolicy,
  scheduler: SchedulerLike,
): Observable<PartState<P>> {
  return defer(() => {
    let failures: readonly number[] = [];
    let delayMs = policy.minDelayMs;
    let runningSinceMs: number | null = null;
    let hasRun = false;

    const life$ = defer(start).pipe(
      concatMap((part) => {
        hasRun = true;
        runningSinceMs = scheduler.now();
        const end$ = part.failed$.pipe(
          takeUntil(stop$),
          materialize(),
          concatMap((end) => concat(stopped(part, end), of(end))),
          dematerialize(),
        );
        return concat(of({ type: 'running', part } as const), end$);
      }),
    );

    function stopped(part: P, end: ObservableNotification<never>): Observable<never> {
      const stopping$ = defer(() => part.stop()).pipe(ignoreElements());
      if (end.kind !== 'E') return stopping$;
      return stopping$.pipe(
        timeout({ first: policy.stopMs, scheduler }),
        catchError((error: unknown) =>
          throwError(() => new Error(`${reasonOf(end.error)}; and then: ${reasonOf(error)}`, { cause: end.error })),
        ),
      );
    }

    return life$.pipe(
      catchError((error: unknown, again$): Observable<PartState<P>> => {
        if (!hasRun) return throwError(() => error);
        const nowMs = scheduler.now();
        if (runningSinceMs !== null && nowMs - runningSinceMs >= policy.wellAfterMs) delayMs = policy.minDelayMs;
        runningSinceMs = null;
        failures = [...failures.filter((failedMs) => failedMs > nowMs - policy.withinMs), nowMs];
        if (failures.length >= policy.maxFailures) return throwError(() => givenUp(name, error, policy));
        const waitMs = delayMs;
        delayMs = Math.min(policy.maxDelayMs, 2 * delayMs);
        const next$ = timer(waitMs, scheduler).pipe(
          takeUntil(stop$),
          switchMap(() => again$),
        );
        return concat(of({ type: 'waiting', error, delayMs: waitMs } as const), next$);
      }),
    );
  });
}

const MINUTE_MS = 60_000;

function givenUp(name: string, error: unknown, { maxFailures, withinMs }: RestartPolicy): PartFailedError {
  return new PartFailedError(
    `${name} failed ${maxFailures} times within ${withinMs / MINUTE_MS} minutes, the last time with: ${reasonOf(error)}`,
    { cause: error },
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
