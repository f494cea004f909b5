import { concatMap, map, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { EventLogFullError, type LogEntry } from '../../src/streams/ports/event-log.ts';
import { type Recordable, record } from '../../src/streams/record.ts';
import { marbles } from './support/marbles.ts';
import { virtualPromise } from './support/virtual-promise.ts';

interface Item extends Recordable {
  readonly name: string;
}

function item(name: string, entries = 1): Item {
  const entry = (index: number): LogEntry => ({ subject: 's', eventId: `${name}${index}`, payload: new Uint8Array() });
  return { name, entries: Array.from({ length: entries }, (_, index) => entry(index)) };
}

const items = { a: item('a'), b: item('b', 2), c: item('c'), d: item('d'), n: item('n', 0) };
const options = { batchMs: 3, batchSize: 2 };

/** What was appended, as `<ms> ids`. */
function run(source: string, expected: string, refusal: (appendMs: number) => Error | null = () => null): string[] {
  const appended: string[] = [];
  marbles(({ cold, scheduler, expectObservable, flush }) => {
    const log = {
      append(entries: readonly LogEntry[]) {
        const refused = refusal(scheduler.now());
        appended.push(`${scheduler.now()} ${entries.map(({ eventId }) => eventId).join(' ')}`);
        return virtualPromise(scheduler, 4, refused);
      },
    };
    const recorded$ = cold(source, items).pipe(
      record(log, { ...options, scheduler }),
      map((recorded) => (recorded.failure === null ? recorded.item.name : recorded.item.name.toUpperCase())),
    );
    expectObservable(recorded$).toBe(expected);
    flush();
  });
  return appended;
}

describe('record', () => {
  it('appends a full batch at once and others after a moment', () => {
    // The batch of a and b is full at 0 and durable at 4; c waits from 4 to 7 for another.
    expect(run('(ab)c------|', '----(ab)---(c|)')).toEqual(['0 a0 b0 b1', '7 c0']);
  });

  it('gives items back in order when their entries are durable', () => {
    expect(run('abcd|', '-----(ab)(cd|)')).toEqual(['1 a0 b0 b1', '5 c0 d0']);
  });

  it('does not trouble the log for items without entries, which keep their turn', () => {
    expect(run('n--|', '---(n|)')).toEqual([]);
    expect(run('(an)|', '----(an|)')).toEqual(['0 a0']);
  });

  it('makes failures of a batch that the log refuses, and goes on', () => {
    const refusal = (appendMs: number) => (appendMs < 2 ? new EventLogFullError('the log is full') : null);
    expect(run('abcd|', '-----(AB)(cd|)', refusal)).toEqual(['1 a0 b0 b1', '5 c0 d0']);
  });

  it('says what the log said', () => {
    const failures: unknown[] = [];
    marbles(({ cold, scheduler, flush }) => {
      const log = {
        append: () => {
          throw new TypeError('thrown, not rejected');
        },
      };
      cold('a|', items)
        .pipe(record(log, { ...options, scheduler }))
        .subscribe(({ failure }) => failures.push(failure));
      flush();
    });
    expect(failures).toEqual([{ stage: 'record', cause: 'resource_limited', detail: 'thrown, not rejected' }]);
  });

  it('never has two appends under way', () => {
    let under = 0;
    let most = 0;
    marbles(({ scheduler, expectObservable, flush }) => {
      const log = {
        append: () => {
          under++;
          most = Math.max(most, under);
          const done = virtualPromise(scheduler, 7);
          scheduler.schedule(() => {
            under--;
          }, 6);
          return done;
        },
      };
      const source = timer(0, 1, scheduler).pipe(concatMap((index) => [item(`i${index}`)]));
      expectObservable(
        source.pipe(
          record(log, { ...options, scheduler }),
          map(() => 'x'),
        ),
        '100ms !',
      );
      flush();
    });
    expect(most).toBe(1);
  });
});
