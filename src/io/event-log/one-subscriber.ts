import { defer, finalize, type Observable, throwError } from 'rxjs';
import { EventLogUsageError } from '../../streams/ports/event-log.ts';

/** Lets one subscription at a time pass for each durable: two would acknowledge each other's deliveries away. */
export function oneSubscriberEach(): <T>(durable: string, source: Observable<T>) => Observable<T> {
  const taken = new Set<string>();
  return (durable, source) =>
    defer(() => {
      if (taken.has(durable)) {
        return throwError(() => new EventLogUsageError(`the durable ${durable} already has a subscriber`));
      }
      taken.add(durable);
      return source.pipe(finalize(() => taken.delete(durable)));
    });
}
