import { catchError, EMPTY, filter, map, type Observable, switchMap, take } from 'rxjs';
import type { Discovery } from '../../streams/ports/discovery.ts';
import type { Dialer } from '../../streams/ports/peer-link.ts';
import type { Kept } from '../keep-running.ts';

/**
 * Ports whose part may be started again behind them: what is asked while it is down waits until it runs, within the
 * time that the asker has for it anyway.
 */

type Current<P> = Pick<Kept<P>, 'current$'>;

export function steadyDiscovery<P extends Discovery>({ current$ }: Current<P>): Discovery {
  return {
    heard$: each(current$, (discovery) => discovery.heard$),
    neighbours: (enr) => next(current$, (discovery) => discovery.neighbours(enr)),
    find: (peerId) => next(current$, (discovery) => discovery.find(peerId)),
  };
}

export function steadyDialer<P extends Dialer>({ current$ }: Current<P>): Dialer {
  return {
    inbound$: each(current$, (dialer) => dialer.inbound$),
    dial: (target) => next(current$, (dialer) => dialer.dial(target)),
  };
}

/** Whether the part runs, now and at each change. */
export function isUp<P>({ current$ }: Current<P>): Observable<boolean> {
  return alive(current$).pipe(map((part) => part !== null));
}

/** What the part emits, then what the next one does. */
function each<P, T>(current$: Observable<P | null>, from: (part: P) => Observable<T>): Observable<T> {
  return alive(current$).pipe(switchMap((part) => (part === null ? EMPTY : from(part))));
}

/** What the part answers, or the next one if it is down. */
function next<P, T>(current$: Observable<P | null>, ask: (part: P) => Observable<T>): Observable<T> {
  return alive(current$).pipe(
    filter((part) => part !== null),
    take(1),
    switchMap(ask),
  );
}

/** That a part is given up for good is told by the part itself. */
function alive<P>(current$: Observable<P | null>): Observable<P | null> {
  return current$.pipe(catchError(() => EMPTY));
}
