import { fromEvent, map, type Observable, of, race, type SchedulerLike, timer } from 'rxjs';

/** Errors with the reason of the abort, at once if it has happened. */
export function aborted(signal: AbortSignal): Observable<never> {
  const aborts$: Observable<unknown> = signal.aborted ? of(null) : fromEvent(signal, 'abort');
  return aborts$.pipe(
    map((): never => {
      throw signal.reason;
    }),
  );
}

/** Emits after a while, unless the signal comes first. */
export function againAfter(
  delayMs: number,
  signal: AbortSignal | undefined,
  scheduler: SchedulerLike,
): Observable<unknown> {
  const again$ = timer(delayMs, scheduler);
  return signal === undefined ? again$ : race(again$, aborted(signal));
}
