import { delay, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createDepth, mergeBounded } from '../../../src/streams/flow/merge-bounded.ts';
import { marbles } from '../../support/streams/marbles.ts';

const dropped = (item: string) => `${item} dropped`;

describe('mergeBounded', () => {
  it('runs so many at a time, in the order they came', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const source = cold('(abcd)|');
      const slow = mergeBounded((item: string) => of(item).pipe(delay(10, scheduler)), {
        concurrency: 2,
        maxWaiting: 9,
        onOverflow: dropped,
      });
      expectObservable(source.pipe(slow)).toBe('----------(ab)------(cd|)');
    });
  });

  it('lets so many wait, and turns away and counts who comes then', () => {
    const depth = createDepth();
    marbles(({ cold, expectObservable, scheduler, flush }) => {
      const source = cold('(abcde)---f-----|');
      const slow = mergeBounded((item: string) => of(item).pipe(delay(5, scheduler)), {
        concurrency: 1,
        maxWaiting: 2,
        onOverflow: dropped,
        depth,
      });
      //                                     f finds room, as a has ended by then
      expectObservable(source.pipe(slow)).toBe('(de)-a----b----c----(f|)', {
        a: 'a',
        b: 'b',
        c: 'c',
        d: 'd dropped',
        e: 'e dropped',
        f: 'f',
      });
      flush();
    });
    expect(depth).toEqual({ active: 0, waiting: 0, overflowed: 2 });
  });

  it('says how many run and how many wait', () => {
    const depth = createDepth();
    const seen: { atMs: number; active: number; waiting: number }[] = [];
    marbles(({ cold, scheduler, expectObservable, flush }) => {
      const slow = mergeBounded((item: string) => of(item).pipe(delay(4, scheduler)), {
        concurrency: 2,
        maxWaiting: 9,
        onOverflow: dropped,
        depth,
      });
      for (const atMs of [1, 5, 9]) {
        scheduler.schedule(() => seen.push({ atMs, active: depth.active, waiting: depth.waiting }), atMs);
      }
      expectObservable(cold('(abcde)').pipe(slow), '50ms !').toBe('----(ab)(cd)e');
      flush();
    });
    expect(seen).toEqual([
      { atMs: 1, active: 2, waiting: 3 },
      { atMs: 5, active: 2, waiting: 1 },
      { atMs: 9, active: 1, waiting: 0 },
    ]);
  });

  it('completes when the source and all projections have', () => {
    marbles(({ cold, expectObservable }) => {
      const options = { concurrency: 2, maxWaiting: 2, onOverflow: dropped };
      const pass = mergeBounded((item: string) => of(item), options);
      expectObservable(cold('a-b-|').pipe(pass)).toBe('a-b-|');
      expectObservable(cold('|').pipe(pass)).toBe('|');
      expectObservable(cold('a|').pipe(mergeBounded(() => cold('---x|'), options))).toBe('---x|');
    });
  });

  it('passes on an error of the source or of a projection at once, and lets go of the rest', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const options = { concurrency: 2, maxWaiting: 2, onOverflow: dropped };
      const projection = cold('-----x|');
      expectObservable(cold('a-#').pipe(mergeBounded(() => projection, options))).toBe('--#');
      expectSubscriptions(projection.subscriptions).toBe('^-!');
      const failing = mergeBounded((item: string) => (item === 'b' ? throwError(() => 'error') : of(item)), options);
      expectObservable(cold('a-b-c').pipe(failing)).toBe('a-#');
    });
  });

  it('lets go of everything when unsubscribed, and shows nothing active or waiting then', () => {
    const depth = createDepth();
    marbles(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const source = cold('(abc)');
      const projection = cold('-----x|');
      const slow = mergeBounded(() => projection, { concurrency: 1, maxWaiting: 9, onOverflow: dropped, depth });
      expectObservable(source.pipe(slow), '---!').toBe('');
      expectSubscriptions(source.subscriptions).toBe('^--!');
      expectSubscriptions(projection.subscriptions).toBe('^--!');
      flush();
    });
    expect(depth).toEqual({ active: 0, waiting: 0, overflowed: 0 });
  });

  it('starts a projection when its turn comes, not before', () => {
    const started: string[] = [];
    marbles(({ cold, expectObservable, scheduler, flush }) => {
      const slow = mergeBounded(
        (item: string) => {
          started.push(`${scheduler.now()} ${item}`);
          return of(item).pipe(delay(3, scheduler));
        },
        { concurrency: 1, maxWaiting: 9, onOverflow: dropped },
      );
      expectObservable(cold('(ab|)').pipe(slow)).toBe('---a--(b|)');
      flush();
    });
    expect(started).toEqual(['0 a', '3 b']);
  });
});
