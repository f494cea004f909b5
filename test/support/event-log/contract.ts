import fc from 'fast-check';
import { firstValueFrom, lastValueFrom, type Subscription, take, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Delivery, DeliveryOptions, EventLog, LogEntry } from '../../../src/streams/ports/event-log.ts';

/** What every event log must do, whatever it is made of. */

/** One place where a log lives on while it is opened and closed. */
export interface LogHome {
  open(options: { durables: readonly string[] }): Promise<EventLog>;
  dispose(): Promise<void>;
}

const SUBJECTS = ['events.peer_discovered', 'events.metadata_received'];

export function entry(sequence: number, run = 'run'): LogEntry {
  return {
    subject: SUBJECTS[sequence % 2] ?? '',
    eventId: `${run}:${sequence}`,
    payload: new TextEncoder().encode(JSON.stringify({ sequence })),
  };
}

export function entries(from: number, count: number, run = 'run'): LogEntry[] {
  return Array.from({ length: count }, (_, index) => entry(from + index, run));
}

export function idsOf(list: readonly LogEntry[]): string[] {
  return list.map(({ eventId }) => eventId);
}

/** Collects what is delivered; acknowledges as it comes unless told not to. */
export function collect(
  log: EventLog,
  durable: string,
  { maxInFlight = 1000, ack = true, ...more }: Partial<DeliveryOptions> & { readonly ack?: boolean } = {},
) {
  const received: Delivery[] = [];
  let ended: 'no' | 'completed' | Error = 'no';
  const subscription: Subscription = log.deliveries({ ...more, durable, maxInFlight }).subscribe({
    next: (delivery) => {
      received.push(delivery);
      if (ack) delivery.ack();
    },
    complete: () => {
      ended = 'completed';
    },
    error: (error: Error) => {
      ended = error;
    },
  });
  return {
    received,
    subscription,
    ended: () => ended,
    count: (count: number) => vi.waitFor(() => expect(received.length).toBe(count), WAIT),
  };
}

export const WAIT = { timeout: 15_000, interval: 5 };

export function eventLogContract(name: string, newHome: () => Promise<LogHome>): void {
  describe(`${name} keeps the contract of an event log`, () => {
    let home: LogHome;
    let open: EventLog[];

    async function openLog(...durables: string[]): Promise<EventLog> {
      const log = await home.open({ durables });
      open.push(log);
      return log;
    }

    beforeEach(async () => {
      home = await newHome();
      open = [];
    });

    afterEach(async () => {
      await Promise.all(open.map((log) => log.close()));
      await home.dispose();
    });

    it('delivers in the order of appending, with ascending positions', async () => {
      const log = await openLog('a');
      await log.append(entries(0, 600));
      await log.append(entries(600, 7));
      const got = collect(log, 'a', { maxInFlight: 50 });
      await got.count(607);
      expect(idsOf(got.received)).toEqual(idsOf(entries(0, 607)));
      expect(got.received.map(({ subject }) => subject)).toEqual(entries(0, 607).map(({ subject }) => subject));
      const positions = got.received.map(({ position }) => position);
      expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
    });

    it('delivers what is appended while somebody listens', async () => {
      const log = await openLog('a');
      const got = collect(log, 'a');
      await log.append(entries(0, 3));
      await got.count(3);
      await log.append(entries(3, 3));
      await got.count(6);
      expect(idsOf(got.received)).toEqual(idsOf(entries(0, 6)));
    });

    it('keeps appended entries over a restart', async () => {
      const log = await openLog('a');
      await log.append(entries(0, 20));
      await log.close();
      const again = await openLog('a');
      expect(again.id).toBe(log.id);
      const got = collect(again, 'a');
      await got.count(20);
      expect(idsOf(got.received)).toEqual(idsOf(entries(0, 20)));
    });

    it('stores an event id once, within one append and over several', async () => {
      const log = await openLog('a');
      await log.append([entry(0), entry(1), entry(0)]);
      await log.append([entry(1), entry(2)]);
      const got = collect(log, 'a');
      await got.count(3);
      await log.append([entry(3)]);
      await got.count(4);
      expect(idsOf(got.received)).toEqual(idsOf(entries(0, 4)));
    });

    it('delivers again, at the same position, what was not acknowledged', async () => {
      const log = await openLog('a');
      await log.append(entries(0, 5));
      const first = collect(log, 'a', { ack: false });
      await first.count(5);
      await log.close();
      const again = collect(await openLog('a'), 'a');
      await again.count(5);
      const byPosition = (list: readonly Delivery[]) =>
        list.map(({ position, eventId }) => [position, eventId]).sort(([a], [b]) => Number(a) - Number(b));
      expect(byPosition(again.received)).toEqual(byPosition(first.received));
    });

    it('delivers again to the next subscriber of the same log', async () => {
      const log = await openLog('a');
      await log.append(entries(0, 3));
      const first = collect(log, 'a', { ack: false });
      await first.count(3);
      first.subscription.unsubscribe();
      const second = collect(log, 'a');
      await second.count(3);
      expect(idsOf(second.received).sort()).toEqual(idsOf(entries(0, 3)));
    });

    it('goes on after what was acknowledged', async () => {
      const log = await openLog('a');
      await log.append(entries(0, 10));
      const first = await lastValueFrom(log.deliveries({ durable: 'a', maxInFlight: 4 }).pipe(take(4), toArray()));
      for (const delivery of first) delivery.ack();
      await log.close();
      const again = collect(await openLog('a'), 'a');
      await again.count(6);
      expect(idsOf(again.received)).toEqual(idsOf(entries(4, 6)));
    });

    it('has at most maxInFlight unacknowledged deliveries', async () => {
      const log = await openLog('a');
      await log.append(entries(0, 40));
      let unacknowledged = 0;
      let most = 0;
      let done = 0;
      const held: Delivery[] = [];
      const subscription = log.deliveries({ durable: 'a', maxInFlight: 7 }).subscribe((delivery) => {
        held.push(delivery);
        unacknowledged += 1;
        most = Math.max(most, unacknowledged);
      });
      while (done < 40) {
        const expected = Math.min(7, 40 - done);
        await vi.waitFor(() => expect(held.length).toBe(expected), WAIT);
        const next = held.shift();
        unacknowledged -= 1;
        done += 1;
        next?.ack();
      }
      subscription.unsubscribe();
      expect(most).toBe(7);
    });

    it('takes acknowledgements in any order', async () => {
      const log = await openLog('a');
      await log.append(entries(0, 12));
      const first = collect(log, 'a', { ack: false, maxInFlight: 6 });
      await first.count(6);
      for (const index of [3, 1, 5, 0, 4]) first.received[index]?.ack();
      // Two acknowledgements of one delivery count once, or a seventh too many would be in flight.
      first.received[3]?.ack();
      await first.count(11);
      first.received[2]?.ack();
      await first.count(12);
      expect(idsOf(first.received)).toEqual(idsOf(entries(0, 12)));
      await log.close();
      const again = collect(await openLog('a'), 'a');
      await again.count(6);
      expect(idsOf(again.received).sort()).toEqual(idsOf(entries(6, 6)).sort());
    });

    it('loses nothing that was not acknowledged when a later one was', async () => {
      const log = await openLog('a');
      await log.append(entries(0, 5));
      const first = collect(log, 'a', { ack: false });
      await first.count(5);
      for (const index of [0, 1, 3, 4]) first.received[index]?.ack();
      await log.close();
      const again = await openLog('a');
      const redelivered = await firstValueFrom(again.deliveries({ durable: 'a', maxInFlight: 1 }));
      expect(redelivered.eventId).toBe('run:2');
    });

    it('gives every durable everything', async () => {
      const log = await openLog('a', 'b');
      await log.append(entries(0, 30));
      const a = collect(log, 'a');
      await a.count(30);
      await log.append(entries(30, 30));
      const b = collect(log, 'b', { maxInFlight: 5 });
      await b.count(60);
      await a.count(60);
      expect(idsOf(a.received)).toEqual(idsOf(entries(0, 60)));
      expect(idsOf(b.received)).toEqual(idsOf(entries(0, 60)));
    });

    it('holds for a durable that was named but has never read', async () => {
      const log = await openLog('a', 'late');
      await log.append(entries(0, 10));
      const a = collect(log, 'a');
      await a.count(10);
      await log.close();
      const again = await openLog('a', 'late');
      const late = collect(again, 'late');
      await late.count(10);
      expect(idsOf(late.received)).toEqual(idsOf(entries(0, 10)));
    });

    it('refuses a second subscriber of a durable, and lets the next one in after the first', async () => {
      const log = await openLog('a');
      const first = collect(log, 'a');
      const second = collect(log, 'a');
      expect(second.ended()).toBeInstanceOf(Error);
      first.subscription.unsubscribe();
      const third = collect(log, 'a');
      await log.append([entry(0)]);
      await third.count(1);
      expect(third.ended()).toBe('no');
    });

    it('completes its subscriptions and refuses appends once closed', async () => {
      const log = await openLog('a', 'b');
      const a = collect(log, 'a');
      const b = collect(log, 'b');
      await log.append([entry(0)]);
      await a.count(1);
      await b.count(1);
      await Promise.all([log.close(), log.close()]);
      expect([a.ended(), b.ended()]).toEqual(['completed', 'completed']);
      await expect(log.append([entry(1)])).rejects.toThrow('closed');
      expect(collect(log, 'a').ended()).toBe('completed');
      // Too late to count, but no reason to throw.
      a.received[0]?.ack();
    });

    it('takes acknowledgements after unsubscribing', async () => {
      const log = await openLog('a');
      await log.append(entries(0, 4));
      const first = collect(log, 'a', { ack: false });
      await first.count(4);
      first.subscription.unsubscribe();
      for (const delivery of first.received.slice(0, 3)) delivery.ack();
      await log.close();
      const again = collect(await openLog('a'), 'a');
      await again.count(1);
      expect(idsOf(again.received)).toEqual(['run:3']);
    });

    it('takes a payload of the largest size', async () => {
      const log = await openLog('a');
      await log.append([{ ...entry(0), payload: new Uint8Array(64 * 1024).fill(7) }]);
      const delivery = await firstValueFrom(log.deliveries({ durable: 'a', maxInFlight: 1 }));
      expect(delivery.payload).toEqual(new Uint8Array(64 * 1024).fill(7));
    });

    it.each([
      ['a payload that no consumer would read', { payload: new Uint8Array(64 * 1024 + 1) }, '65537 bytes'],
      ['a subject that no stream takes', { subject: 'events.other' }, 'events.other'],
      ['an event id that no header can carry', { eventId: 'a\r\nb' }, 'no event id'],
      ['no event id', { eventId: '' }, 'no event id'],
    ])('refuses %s, and everything with it', async (_, change, reason) => {
      const log = await openLog('a');
      await expect(log.append([entry(0), { ...entry(1), ...change }])).rejects.toThrow(reason);
      await log.append([entry(2)]);
      const got = collect(log, 'a');
      await got.count(1);
      expect(idsOf(got.received)).toEqual(['run:2']);
    });

    it('keeps every byte', async () => {
      const log = await openLog('a');
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 4096 }), { minLength: 1, maxLength: 5 }), async (list) => {
          run += 1;
          await log.append(list.map((payload, index) => ({ ...entry(index, `bytes-${run}`), payload })));
          const got = collect(log, 'a');
          await got.count(list.length);
          got.subscription.unsubscribe();
          expect(got.received.map(({ payload }) => [...payload])).toEqual(list.map((payload) => [...payload]));
        }),
        { numRuns: 30 },
      );
    });
  });
}
