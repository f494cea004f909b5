import { map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { whileHeld } from '../../../../src/io/event-log/nats/while-held.ts';
import type { Delivery } from '../../../../src/streams/ports/event-log.ts';
import { marbles } from '../../../support/streams/marbles.ts';

const HELD = { y: true, n: false };

describe('deliveries with a lease', () => {
  it('come while it is ours, from the beginning each time', () => {
    marbles(({ cold, hot, expectObservable, expectSubscriptions }) => {
      const isHeld$ = hot<boolean>('n--y------n--y----', HELD);
      const deliveries$ = cold('       --a-b-c-d');
      const asDelivery = (eventId: string) => ({ eventId }) as Delivery;
      const held$ = whileHeld({ isHeld$, term: () => 1 }, deliveries$.pipe(map(asDelivery)));
      expectObservable(held$.pipe(map(({ eventId }) => eventId))).toBe('-----a-b-c-----a-b-c-d');
      expectSubscriptions(deliveries$.subscriptions).toBe(['---^------!', '-------------^']);
    });
  });

  it('have lapsed in another term, and are not acknowledged in it', () => {
    marbles(({ hot, flush }) => {
      let term: number | null = 1;
      const acked: string[] = [];
      const delivery = (eventId: string) => ({ eventId, ack: () => acked.push(eventId) }) as unknown as Delivery;
      const deliveries$ = hot<Delivery>('-ab', { a: delivery('a'), b: delivery('b') });
      const got: Delivery[] = [];
      whileHeld({ isHeld$: hot<boolean>('y', HELD), term: () => term }, deliveries$).subscribe((one) => got.push(one));
      flush();
      got[0]?.ack();
      expect([acked, got[1]?.isLapsed?.()]).toEqual([['a'], false]);
      term = null;
      expect(got[1]?.isLapsed?.()).toBe(true);
      term = 2;
      got[1]?.ack();
      expect([acked, got[1]?.isLapsed?.()]).toEqual([['a'], true]);
    });
  });

  it('have lapsed at once when they come while it is not ours at that very moment', () => {
    marbles(({ hot, flush }) => {
      const got: Delivery[] = [];
      const deliveries$ = hot<Delivery>('-a', { a: { ack: () => expect.unreachable() } as unknown as Delivery });
      const lease = { isHeld$: hot<boolean>('y', HELD), term: () => null };
      whileHeld(lease, deliveries$).subscribe((one) => got.push(one));
      flush();
      got[0]?.ack();
      expect(got[0]?.isLapsed?.()).toBe(true);
    });
  });
});
