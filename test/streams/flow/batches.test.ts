import { defer, of, throwError } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { batches } from '../../../src/streams/flow/batches.ts';
import { retryForever } from '../../../src/streams/flow/retry-forever.ts';

function testScheduler(): TestScheduler {
  return new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
}

describe('batches', () => {
  it('emits a full batch at once, and a smaller one when its first item has waited long enough', () => {
    const scheduler = testScheduler();
    scheduler.run(({ cold, expectObservable }) => {
      const source = cold(' a-b-c-d--e----------f|');
      const expected = '    ----x------y---------(z|)';
      expectObservable(source.pipe(batches({ size: 3, waitMs: 5, scheduler }))).toBe(expected, {
        x: ['a', 'b', 'c'],
        y: ['d', 'e'],
        z: ['f'],
      });
    });
  });

  it('never emits an empty batch, and drops what waits when the source fails', () => {
    const scheduler = testScheduler();
    scheduler.run(({ cold, expectObservable }) => {
      expectObservable(cold('-------------|').pipe(batches({ size: 3, waitMs: 5, scheduler }))).toBe('-------------|');
      expectObservable(cold('-a-#').pipe(batches({ size: 3, waitMs: 5, scheduler }))).toBe('---#');
    });
  });

  it('lets go of the source and the timer when unsubscribed', () => {
    const scheduler = testScheduler();
    scheduler.run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-a---------');
      expectObservable(source.pipe(batches({ size: 3, waitMs: 5, scheduler })), '---!').toBe('----');
      expectSubscriptions(source.subscriptions).toBe('^--!');
    });
  });
});

describe('retryForever', () => {
  it('waits twice as long after each failure, up to a limit, and tells of each', () => {
    const scheduler = testScheduler();
    const delays: number[] = [];
    scheduler.run(({ expectObservable, flush }) => {
      let failures = 5;
      const work = defer(() => (failures-- > 0 ? throwError(() => new Error('away')) : of('a')));
      const retried = work.pipe(
        retryForever({
          minDelayMs: 10,
          maxDelayMs: 40,
          scheduler,
          onFailure: ({ attempt, delayMs }) => delays.push(attempt, delayMs),
        }),
      );
      // 10 + 20 + 40 + 40 + 40
      expectObservable(retried).toBe('150ms (a|)');
      flush();
    });
    expect(delays).toEqual([1, 10, 2, 20, 3, 40, 4, 40, 5, 40]);
  });
});
