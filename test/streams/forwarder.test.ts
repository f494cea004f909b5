import { map, Observable } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type ForwardOptions, forward } from '../../src/streams/forwarder.ts';
import type { Delivery, EventLog, LogEntry } from '../../src/streams/ports/event-log.ts';

const BATCH_MS = 5;
const APPEND_MS = 2;

let scheduler: TestScheduler;
/** What happened, in order: `<ms> append a b`, `<ms> ack a`, `<ms> fail 1 250`. */
let happened: string[];

beforeEach(() => {
  scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
  happened = [];
});

function note(text: string): void {
  happened.push(`${scheduler.now()} ${text}`);
}

function delivery(eventId: string, position: number, ack: () => void = () => undefined): Delivery {
  return {
    subject: 'events.peer_discovered',
    eventId,
    payload: new Uint8Array(),
    position,
    ack: () => {
      note(`ack ${eventId}`);
      ack();
    },
  };
}

/** A log with the entries `0`, `1`, …, that delivers as a log does: never more than `maxInFlight` unacknowledged. */
function logOf(count: number): Pick<EventLog, 'deliveries'> & { mostInFlight(): number } {
  let most = 0;
  return {
    mostInFlight: () => most,
    deliveries: ({ maxInFlight }) =>
      new Observable((subscriber) => {
        let next = 0;
        let inFlight = 0;
        const deliverMore = () => {
          while (next < count && inFlight < maxInFlight) {
            inFlight += 1;
            most = Math.max(most, inFlight);
            next += 1;
            const acked = () => {
              inFlight -= 1;
              scheduler.schedule(deliverMore);
            };
            subscriber.next(delivery(String(next - 1), next, acked));
          }
        };
        deliverMore();
      }),
  };
}

/** A promise that settles on virtual time: a real one waits for a tick of the machine, which does not come in a test. */
function settles(afterMs: number, error: Error | null): Promise<void> {
  const promise = new Promise<void>(() => undefined);
  vi.spyOn(promise, 'then').mockImplementation((onFulfilled, onRejected) => {
    scheduler.schedule(() => (error === null ? onFulfilled?.() : onRejected?.(error)), afterMs);
    return new Promise(() => undefined);
  });
  return promise;
}

/** A log that refuses while `isAway` says so, and keeps what it takes. */
function sink(isAway: () => boolean = () => false): Pick<EventLog, 'append'> & { readonly kept: string[] } {
  const kept: string[] = [];
  return {
    kept,
    append(entries: readonly LogEntry[]) {
      const ids = entries.map(({ eventId }) => eventId);
      note(`append ${ids.join(' ')}`);
      if (isAway()) return settles(APPEND_MS, new Error('away'));
      kept.push(...ids);
      return settles(APPEND_MS, null);
    },
  };
}

function forwarding(from: ForwardOptions['from'], to: ForwardOptions['to'], batchSize: number) {
  return forward({
    from,
    to,
    durable: 'forwarder',
    batchSize,
    batchMs: BATCH_MS,
    scheduler,
    onFailure: ({ attempt, delayMs, error }) => note(`fail ${attempt} ${delayMs} ${(error as Error).message}`),
  });
}

describe('forward', () => {
  it('appends full batches at once and others after a moment, and acknowledges what was taken', () => {
    scheduler.run(({ hot, expectObservable }) => {
      const source = hot('     abc----d---------|');
      const expected = '       ----p---------q--|';
      const to = sink();
      let position = 0;
      const deliveries = () => source.pipe(map((id) => delivery(id, ++position)));
      expectObservable(forwarding({ deliveries }, to, 3)).toBe(expected, { p: { forwarded: 3 }, q: { forwarded: 4 } });
    });
    expect(happened).toEqual([
      '2 append a b c',
      '4 ack a',
      '4 ack b',
      '4 ack c',
      // The fourth came at 7.
      '12 append d',
      '14 ack d',
    ]);
  });

  it('hands over the last batch when the log is closed', () => {
    scheduler.run(({ cold, expectObservable }) => {
      const source = cold('a|');
      const deliveries = () => source.pipe(map((id) => delivery(id, 1)));
      expectObservable(forwarding({ deliveries }, sink(), 3)).toBe('---(p|)', { p: { forwarded: 1 } });
    });
  });

  it('passes on that the source log is lost', () => {
    scheduler.run(({ cold, expectObservable }) => {
      const deliveries = () => cold<Delivery>('--#');
      expectObservable(forwarding({ deliveries }, sink(), 3)).toBe('--#');
    });
  });

  it('tries a refused batch again, waiting longer each time, and acknowledges nothing meanwhile', () => {
    const from = logOf(3);
    const to = sink(() => scheduler.now() < 1000);
    scheduler.run(({ expectObservable }) => {
      // 0 + 2, + 250, + 2, + 500, + 2, + 1000, + 2; then what is left, which was read meanwhile.
      expectObservable(forwarding(from, to, 2), '1800ms !').toBe('1758ms p 1ms q', {
        p: { forwarded: 2 },
        q: { forwarded: 3 },
      });
    });
    expect(happened).toEqual([
      '0 append 0 1',
      '2 fail 1 250 away',
      '252 append 0 1',
      '254 fail 2 500 away',
      '754 append 0 1',
      '756 fail 3 1000 away',
      '1756 append 0 1',
      '1758 ack 0',
      '1758 ack 1',
      '1758 append 2',
      '1760 ack 2',
    ]);
  });

  it('loses, doubles and reorders nothing over outages that come and go', () => {
    const from = logOf(100);
    const to = sink(() => Math.floor(scheduler.now() / 10) % 3 === 1);
    scheduler.run(({ expectObservable }) => {
      expectObservable(forwarding(from, to, 7), '60m !');
    });
    expect(happened.some((line) => line.includes('fail'))).toBe(true);
    expect(to.kept).toEqual(Array.from({ length: 100 }, (_, index) => String(index)));
    // One batch on its way, another read meanwhile.
    expect(from.mostInFlight()).toBe(14);
    const acked = happened.filter((line) => line.includes('ack')).map((line) => line.split(' ').at(-1));
    expect(acked).toEqual(to.kept);
  });

  it('waits five seconds at most', () => {
    const delays: number[] = [];
    scheduler.run(({ expectObservable }) => {
      const to = sink(() => true);
      expectObservable(forwarding(logOf(1), to, 1), '10m !');
    });
    for (const line of happened) {
      const delay = /fail \d+ (\d+)/.exec(line)?.[1];
      if (delay !== undefined) delays.push(Number(delay));
    }
    expect(delays.slice(0, 7)).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000]);
    expect(delays.length).toBeGreaterThan(100);
  });

  it('passes on what trying again does not mend, and acknowledges nothing of it', () => {
    scheduler.run(({ expectObservable }) => {
      const changed = new Error('away');
      const options = { from: logOf(1), to: sink(() => true), durable: 'forwarder', batchSize: 1, batchMs: BATCH_MS };
      const forwarding$ = forward({ ...options, scheduler, onFailure: () => note('fail'), unless: () => true });
      expectObservable(forwarding$).toBe('--#', undefined, changed);
    });
    expect(happened).toEqual(['0 append 0']);
  });

  it('stops trying when unsubscribed', () => {
    scheduler.run(({ expectObservable }) => {
      expectObservable(
        forwarding(
          logOf(1),
          sink(() => true),
          1,
        ),
        '300ms !',
      ).toBe('');
    });
    expect(happened.filter((line) => line.includes('append'))).toEqual(['0 append 0', '252 append 0']);
  });
});
