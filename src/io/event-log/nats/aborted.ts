import { fromEvent, map, type Observable, of } from 'rxjs';

/** Errors with the reason of the abort, at once if it has happened. */
export function aborted(signal: AbortSignal): Observable<never> {
  const aborts$: Observable<unknown> = signal.aborted ? of(null) : fromEvent(signal, 'abort');
  return aborts$.pipe(
    map((): never => {
      throw signal.reason;
    }),
  );
}
