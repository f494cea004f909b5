import { EMPTY, type Observable, switchMap } from 'rxjs';

/**
 * Lets a source run while a gate is open: it is unsubscribed when the gate shuts and subscribed again when it opens. Use
 * it for sources that begin new work, not for what is under way. Completes when the gate and the source have.
 */
export function whileOpen<T>(isOpen$: Observable<boolean>, source: Observable<T>): Observable<T> {
  return isOpen$.pipe(switchMap((isOpen) => (isOpen ? source : EMPTY)));
}
