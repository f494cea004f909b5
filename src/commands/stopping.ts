import { fromEvent, map, merge, NEVER, type Observable, take, timer } from 'rxjs';

/** A signal came twice: the user does not want to wait. */
const EXIT_FORCED = 130;

/**
 * Emits once, with the reason, when the program should stop: SIGINT, SIGTERM, or after `forMs`. A second signal ends the
 * process at once; everything acknowledged is on disk by then.
 */
export function stopRequested(forMs: number | undefined): Observable<string> {
  const signal$ = merge(
    fromEvent(process, 'SIGINT').pipe(map(() => 'SIGINT')),
    fromEvent(process, 'SIGTERM').pipe(map(() => 'SIGTERM')),
  );
  const elapsed$ = forMs === undefined ? NEVER : timer(forMs).pipe(map(() => 'the time is up'));
  return merge(signal$, elapsed$).pipe(take(1));
}

/** From the first request on, the next signal forces. */
export function forceOnNextSignal(): void {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      process.stderr.write('valtrack: forced to stop; the next start goes on where this one was cut off\n');
      process.exit(EXIT_FORCED);
    });
  }
}
