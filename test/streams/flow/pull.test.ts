import { delay, map, mergeMap, of, Subject, take, tap } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { type PullSource, pull } from '../../../src/streams/flow/pull.ts';
import { createSlots } from '../../../src/streams/flow/slots.ts';
import { HastyScheduler } from '../../support/streams/hasty-scheduler.ts';
import { marbles } from '../../support/streams/marbles.ts';

interface Timetable extends PullSource<string> {
  /** Puts an item in, and wakes who waits. */
  add(item: string, dueMs: number): void;
  /** Items handed out so far. */
  readonly taken: readonly string[];
}

/** A source with items that become due at given times. */
function timetable(items: Record<string, number>): Timetable {
  const waiting = new Map(Object.entries(items));
  const wake = new Subject<void>();
  const taken: string[] = [];
  const next = () => [...waiting].sort(([, a], [, b]) => a - b)[0];
  return {
    taken,
    wake$: wake,
    add(item, dueMs) {
      waiting.set(item, dueMs);
      wake.next();
    },
    nextDueMs: () => next()?.[1] ?? Number.POSITIVE_INFINITY,
    take(nowMs) {
      const head = next();
      if (head === undefined || head[1] > nowMs) return null;
      waiting.delete(head[0]);
      taken.push(head[0]);
      return head[0];
    },
  };
}

describe('pull', () => {
  it('hands out each item when it is due', () => {
    marbles(({ scheduler, expectObservable }) => {
      const source = timetable({ a: 0, b: 3, c: 3, d: 7 });
      expectObservable(pull(source, createSlots(9), scheduler)).toBe('a--(bc)d');
    });
  });

  it('hands out nothing before its time although a timer fires a moment early', () => {
    const scheduler = new HastyScheduler(2);
    const source = timetable({ a: 5, b: 6 });
    const asked = vi.spyOn(source, 'take');
    const handedOut: string[] = [];
    pull(source, createSlots(9), scheduler).subscribe((item) => handedOut.push(`${scheduler.now()} ${item}`));
    scheduler.flush();
    expect(handedOut).toEqual(['5 a', '6 b']);
    // At 3 in vain, again at 5, where b is not due yet.
    expect(asked.mock.calls.map(([nowMs]) => nowMs)).toEqual([0, 3, 5, 5, 6, 6]);
  });

  it('wakes for an item that is due earlier than what it waits for', () => {
    marbles(({ scheduler, hot, expectObservable }) => {
      const source = timetable({ late: 9 });
      const added = hot('--x--').pipe(tap(() => source.add('soon', 4)));
      added.subscribe();
      expectObservable(pull(source, createSlots(9), scheduler)).toBe('----s----l', { s: 'soon', l: 'late' });
    });
  });

  it('wakes when it had nothing to wait for', () => {
    marbles(({ scheduler, hot, expectObservable }) => {
      const source = timetable({});
      hot('--x--').subscribe(() => source.add('a', 0));
      expectObservable(pull(source, createSlots(9), scheduler)).toBe('--a');
    });
  });

  it('makes a slow stage slow its source: what finds no slot stays where it is', () => {
    marbles(({ scheduler, expectObservable, flush }) => {
      const source = timetable({ a: 0, b: 0, c: 0, d: 0, e: 0 });
      const slots = createSlots(2);
      const takenAt: string[] = [];
      const visits = pull(source, slots, scheduler).pipe(
        tap((item) => takenAt.push(`${scheduler.now()} ${item}`)),
        mergeMap((item) => of(item).pipe(delay(5, scheduler)), 9),
        tap(() => slots.release()),
      );
      expectObservable(visits).toBe('-----(ab)-(cd)-e', undefined);
      flush();
      expect(takenAt).toEqual(['0 a', '0 b', '5 c', '5 d', '10 e']);
    });
  });

  it('never has more in hand than there are slots, and loses nobody, when 1,000 items are due at once', () => {
    marbles(({ scheduler, expectObservable, flush }) => {
      const source = timetable(Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`${index}`, 0])));
      const slots = createSlots(16);
      const done: string[] = [];
      let most = 0;
      const visits = pull(source, slots, scheduler).pipe(
        tap(() => {
          most = Math.max(most, source.taken.length - done.length);
        }),
        mergeMap((item, index) => of(item).pipe(delay(1 + (index % 7), scheduler)), 99),
        tap((item) => {
          done.push(item);
          slots.release();
        }),
        map(() => 'x'),
      );
      expectObservable(visits, '10s !');
      flush();
      expect(most).toBe(16);
      expect(new Set(done).size).toBe(1_000);
      expect(slots.taken).toBe(0);
    });
  });

  it('sets no timer while every slot is taken, and stops its timer when unsubscribed', () => {
    marbles(({ scheduler, expectObservable, flush }) => {
      const source = timetable({ a: 0, b: 5, c: 20 });
      const slots = createSlots(1);
      const schedule = vi.spyOn(scheduler, 'schedule');
      expectObservable(pull(source, slots, scheduler), '---!').toBe('a--');
      const before = schedule.mock.calls.length;
      flush();
      expect(schedule.mock.calls.length).toBe(before);
      // The slot of `a` is still its owner's.
      expect(slots.taken).toBe(1);
      expect(source.taken).toEqual(['a']);
    });
  });

  it('stops in the middle of a hand-over when nobody takes more', () => {
    marbles(({ scheduler, expectObservable, flush }) => {
      const source = timetable({ a: 0, b: 0, c: 0 });
      const slots = createSlots(9);
      expectObservable(pull(source, slots, scheduler).pipe(take(2))).toBe('(ab|)');
      flush();
      expect(source.taken).toEqual(['a', 'b']);
      expect(slots.taken).toBe(2);
      source.add('d', 0);
      flush();
      expect(source.taken).toEqual(['a', 'b']);
    });
  });

  it('waits in steps that a timer of the platform can hold', () => {
    marbles(({ scheduler }) => {
      const yearMs = 365 * 86_400_000;
      const schedule = vi.spyOn(scheduler, 'schedule');
      const subscription = pull(timetable({ a: yearMs }), createSlots(1), scheduler).subscribe();
      const delays = schedule.mock.calls.map(([, delayMs]) => delayMs);
      expect(delays).toEqual([2_147_483_647]);
      subscription.unsubscribe();
    });
  });
});
