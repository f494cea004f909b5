import { map, NEVER, type Observable, switchMap } from 'rxjs';
import type { Delivery } from '../../../streams/ports/event-log.ts';
import type { NatsLease } from './lease.ts';

/** Reads while the lease is ours. What was read in one term is not acknowledged in another: somebody else had it meanwhile. */
export function whileHeld(
  lease: Pick<NatsLease, 'isHeld$' | 'term'>,
  deliveries$: Observable<Delivery>,
): Observable<Delivery> {
  return lease.isHeld$.pipe(
    switchMap((isHeld) => (isHeld ? deliveries$ : NEVER)),
    map((delivery) => {
      const term = lease.term();
      const isLapsed = () => term === null || lease.term() !== term;
      return { ...delivery, isLapsed, ack: () => (isLapsed() ? undefined : delivery.ack()) };
    }),
  );
}
