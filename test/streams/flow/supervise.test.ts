import { defer, NEVER, type Observable, of, Subject, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Part, PartFailedError, type RestartPolicy, supervise } from '../../../src/streams/flow/supervise.ts';
import { marbles } from '../../support/streams/marbles.ts';

const POLICY: RestartPolicy = {
  minDelayMs: 10,
  maxDelayMs: 40,
  wellAfterMs: 100,
  maxFailures: 5,
  withinMs: 60_000,
  stopMs: 30,
};
const BROKEN = new Error('broken');
const running = expect.objectContaining({ type: 'running' });
const waiting = (delayMs: number) => ({ type: 'waiting', error: BROKEN, delayMs });

describe('supervise', () => {
  it('starts a failed part again once it is stopped, waiting twice as long each time', () => {
    marbles(({ cold, hot, expectObservable, scheduler }) => {
      const story: string[] = [];
      function told<T>(what: string, source: Observable<T>): Observable<T> {
        return defer(() => {
          story.push(`${scheduler.now()} ${what}`);
          return source;
        });
      }
      const part: Part = {
        failed$: cold<never>('-----#', {}, BROKEN),
        stop: () => told('stopping', cold('--(s|)')),
      };
      const start = () => told('start', of(part));
      const stop$ = hot('70ms s');
      const states$ = supervise('it', start, stop$, POLICY, scheduler);
      // Running for 5 ms, stopping for 2, waiting for 10 and then 20; stopped at 70 while it waits for 40.
      expectObservable(states$).toBe('a 6ms b 9ms a 6ms c 19ms a 6ms d 18ms |', {
        a: running,
        b: waiting(10),
        c: waiting(20),
        d: waiting(40),
      });
      scheduler.flush();
      expect(story).toEqual(['0 start', '5 stopping', '17 start', '22 stopping', '44 start', '49 stopping']);
    });
  });

  it('gives a part up that fails too often, and says which and why', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const part: Part = { failed$: cold<never>('#', {}, BROKEN), stop: () => of(null) };
      const states$ = supervise('the part', () => of(part), NEVER, POLICY, scheduler);
      expectObservable(states$).toBe(
        '(ab) 6ms (ac) 16ms (ad) 36ms (ad) 36ms (a#)',
        { a: running, b: waiting(10), c: waiting(20), d: waiting(40) },
        new PartFailedError('the part failed 5 times within 1 minutes, the last time with: broken'),
      );
    });
  });

  it('does not count failures of long ago, and is patient again with a part that was well', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const part: Part = { failed$: cold<never>('100ms #', {}, BROKEN), stop: () => of(null) };
      const policy = { ...POLICY, withinMs: 330 };
      const states$ = supervise('it', () => of(part), NEVER, policy, scheduler);
      const eight = Array(8).fill('a 99ms b 9ms ').join('');
      expectObservable(states$, '885ms !').toBe(eight.trim().concat(' a'), { a: running, b: waiting(10) });
    });
  });

  it('counts a start that fails later as a failure, but not the very first', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      let starts = 0;
      const part: Part = { failed$: cold<never>('-#', {}, BROKEN), stop: () => of(null) };
      const start = (): Observable<Part> => (starts++ === 0 ? of(part) : throwError(() => BROKEN));
      const states$ = supervise('it', start, NEVER, { ...POLICY, maxFailures: 3 }, scheduler);
      expectObservable(states$).toBe(
        'ab 9ms c 19ms #',
        { a: running, b: waiting(10), c: waiting(20) },
        new PartFailedError('it failed 3 times within 1 minutes, the last time with: broken'),
      );
      expectObservable(supervise('it', () => throwError(() => BROKEN), NEVER, POLICY, scheduler)).toBe('#', {}, BROKEN);
    });
  });

  it('stops a part that runs, also one that was still starting', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const part: Part = { failed$: NEVER, stop: () => cold('---|') };
      const stop$ = cold('s');
      const slow$ = cold('-----(p|)', { p: part });
      expectObservable(supervise('it', () => slow$, stop$, POLICY, scheduler)).toBe('-----a--|', { a: running });
    });
  });

  it('leaves a failed part behind that does not stop, and one that fails to', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const stops = [NEVER, throwError(() => new Error('jammed'))];
      const start = () =>
        defer(() => of({ failed$: cold<never>('#', {}, BROKEN), stop: () => stops.shift() ?? of(null) }));
      const failedStop = (reason: string, delayMs: number) => ({
        type: 'waiting',
        error: new Error(`broken; and then: ${reason}`, { cause: BROKEN }),
        delayMs,
      });
      expectObservable(supervise('it', start, NEVER, POLICY, scheduler), '65ms !').toBe('a 29ms b 9ms (ac) 16ms (ad)', {
        a: running,
        b: failedStop('Timeout has occurred', 10),
        c: failedStop('jammed', 20),
        d: waiting(40),
      });
    });
  });

  it('fails at once for a start that throws', () => {
    const start = () => {
      throw BROKEN;
    };
    const errors: unknown[] = [];
    supervise('it', start, new Subject(), POLICY, { now: () => 0, schedule: () => expect.fail() }).subscribe({
      error: (error: unknown) => errors.push(error),
    });
    expect(errors).toEqual([BROKEN]);
  });
});
