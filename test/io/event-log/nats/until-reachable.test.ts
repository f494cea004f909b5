import { defer, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { EventLogUnreachableError } from '../../../../src/io/event-log/nats/errors.ts';
import { reconnects } from '../../../../src/io/event-log/nats/reconnects.ts';
import { type UntilReachableOptions, untilReachable } from '../../../../src/io/event-log/nats/until-reachable.ts';
import { marbles } from '../../../support/streams/marbles.ts';
import { loggerWithLines } from './support/lines.ts';

/** Connects at the attempt after so many that are refused. */
function setUp(refused: number, options: Partial<UntilReachableOptions>) {
  const { logger, lines } = loggerWithLines();
  let attempts = 0;
  const connection$ = defer(() =>
    attempts++ < refused ? throwError(() => new Error('CONNECTION_REFUSED')) : of('c'),
  ).pipe(untilReachable({ servers: 'here:4222', waits: true, logger, ...options }));
  return { connection$, lines };
}

const UNREACHABLE = new EventLogUnreachableError(
  'no NATS server can be reached at here:4222 (CONNECTION_REFUSED); start one, or give its address with --nats-url',
);

describe('a server that is not there at first', () => {
  it('is the end, with what to do, unless it is waited for', () => {
    marbles(({ expectObservable }) => {
      expectObservable(setUp(1, { waits: false }).connection$).toBe('#', undefined, UNREACHABLE);
      expectObservable(setUp(0, { waits: false }).connection$).toBe('(c|)');
    });
  });

  it('is tried again after longer and longer, up to four seconds', () => {
    marbles(({ expectObservable }) => {
      // 250 + 500 + 1000 + 2000 + 4000 + 4000
      expectObservable(setUp(6, {}).connection$).toBe('11750ms (c|)');
    });
  });

  it('is told of once, and then each minute', () => {
    marbles(({ expectObservable, flush }) => {
      const { connection$, lines } = setUp(31, {});
      expectObservable(connection$).toBe('111750ms (c|)');
      flush();
      expect(lines).toEqual(Array.from({ length: 3 }, () => UNREACHABLE.message));
    });
  });

  it('is waited for no longer once the program ends', () => {
    marbles(({ expectObservable, scheduler }) => {
      const ending = new AbortController();
      const reason = new Error('SIGTERM');
      scheduler.schedule(() => ending.abort(reason), 300);
      expectObservable(setUp(9, { signal: ending.signal }).connection$).toBe('300ms #', undefined, reason);
    });
  });
});

it('attempts to reconnect wait longer and longer until one succeeds', () => {
  const retries = reconnects();
  const waits = Array.from({ length: 7 }, () => {
    const waitMs = retries.delayMs();
    retries.attempted();
    return waitMs;
  });
  expect(waits).toEqual([250, 250, 500, 1_000, 2_000, 4_000, 4_000]);
  expect(retries.attempts).toBe(7);
  retries.succeeded();
  expect([retries.attempts, retries.delayMs()]).toEqual([0, 250]);
});
