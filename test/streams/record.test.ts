import { concatMap, map, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { EventLogFullError, EventLogUsageError, type LogEntry } from '../../src/streams/ports/event-log.ts';
import { createRecording, type Recordable, record } from '../../src/streams/record.ts';
import { marbles } from '../support/streams/marbles.ts';
import { virtualPromise } from '../support/streams/virtual-promise.ts';

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

  it('holds a batch while the log has no room, and what comes meanwhile behind it', () => {
    const refusal = (appendMs: number) => (appendMs < 500 ? new EventLogFullError('the log is full') : null);
    // Appended at 1 and, 4 ms later refused, again after 250 and 500 ms; the last is durable 4 ms after it began.
    expect(run('abcd|', '763ms (ab)(cd|)', refusal)).toEqual([
      '1 a0 b0 b1',
      '255 a0 b0 b1',
      '759 a0 b0 b1',
      '763 c0 d0',
    ]);
  });

  it('tries again after five seconds at most', () => {
    const refusal = (appendMs: number) => (appendMs < 60_000 ? new EventLogFullError('the log is full') : null);
    // 0, 254, 758, 1762, 3766, 7770, 12774, then every 5004 ms: the first after a minute is at 62814.
    const appended = run('(a|)', '62818ms (a|)', refusal).map((line) => Number(line.split(' ')[0]));
    const waits = appended.slice(1).map((ms, index) => ms - (appended[index] ?? 0) - 4);
    expect(waits.slice(0, 6)).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000]);
    expect(Math.max(...waits)).toBe(5_000);
  });

  it.each([
    ['an unknown error of the disk', new Error('SQLITE_BUSY: database is locked')],
    ['something thrown, not rejected', new TypeError('thrown')],
  ])('gives up nothing for %s', (_, error) => {
    expect(run('a|', '259ms (a|)', (appendMs) => (appendMs < 100 ? error : null))).toHaveLength(2);
  });

  it('makes a failure of the one item that the log can never take, and of no other', () => {
    const failures: unknown[] = [];
    const taken: string[] = [];
    marbles(({ cold, scheduler, flush }) => {
      const log = {
        append(entries: readonly LogEntry[]) {
          const isBad = entries.some(({ eventId }) => eventId.startsWith('b'));
          if (isBad) return virtualPromise(scheduler, 1, new EventLogUsageError('b is too large'));
          taken.push(...entries.map(({ eventId }) => eventId));
          return virtualPromise(scheduler, 1, null);
        },
      };
      cold('(abcd)|', items)
        .pipe(record(log, { batchMs: 3, batchSize: 3, scheduler }))
        .subscribe(({ item: { name }, failure }) => failures.push([name, failure]));
      flush();
    });
    expect(failures).toEqual([
      ['a', null],
      ['b', { stage: 'record', cause: 'resource_limited', detail: 'b is too large' }],
      ['c', null],
      ['d', null],
    ]);
    expect(taken).toEqual(['a0', 'c0', 'd0']);
  });

  it('takes nothing more once it is ended, makes durable what it holds, and says how much that is', () => {
    const recording = createRecording();
    const held: number[] = [];
    marbles(({ cold, scheduler, expectObservable, flush }) => {
      const log = { append: () => virtualPromise(scheduler, 4) };
      recording.held$.subscribe((count) => held.push(count));
      scheduler.schedule(() => recording.ending$.next(), 2);
      // a and b at 0 and 1 are durable at 5; c comes after the end.
      const recorded$ = cold('ab-c--|', items).pipe(
        record(log, { ...options, scheduler, recording }),
        map((recorded) => recorded.item.name),
      );
      expectObservable(recorded$).toBe('-----(ab|)');
      flush();
    });
    expect(held).toEqual([0, 1, 3, 2, 0]);
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
