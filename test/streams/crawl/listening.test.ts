import { describe, expect, it } from 'vitest';
import { createListening, type ListeningOptions } from '../../../src/streams/crawl/listening.ts';
import { EventLogUsageError, type LogEntry } from '../../../src/streams/ports/event-log.ts';
import { type Marbles, marbles } from '../../support/streams/marbles.ts';
import { nodeRecord } from '../../support/streams/network.ts';
import { virtualPromise } from '../../support/streams/virtual-promise.ts';

const ENTRY: LogEntry = { subject: 's', eventId: 'e:0', payload: new Uint8Array() };
const APPEND_MS = 3;
const nodes = Object.fromEntries(['a', 'b', 'c', 'd', 'k'].map((name) => [name, nodeRecord(name)]));

/** Listens to nodes, of whom all but `k` are news, with two places; gives the course of it and how many were dropped. */
function listen(
  { hot, scheduler, expectObservable, flush }: Marbles,
  heard: string,
  { gate = 'o', error = null as Error | null } = {},
): { course: string[]; dropped: number } {
  const course: string[] = [];
  const note = (what: string) => course.push(`${scheduler.now()} ${what}`);
  const options: ListeningOptions = {
    maxWaiting: 2,
    isOpen$: hot(gate, { o: true, s: false }),
    receive({ peerId }) {
      note(`receive ${peerId}`);
      return { arrivals: [], entries: peerId === 'k' ? [] : [ENTRY] };
    },
    settle: (_, failed) => note(failed === null ? 'durable' : 'lost'),
    log: { append: () => virtualPromise(scheduler, APPEND_MS, error) },
    record: { batchMs: 0, batchSize: 1, scheduler },
  };
  const listening = createListening(hot(heard, nodes), options);
  expectObservable(listening.listening$, '20ms !').toBe('');
  flush();
  return { course, dropped: listening.dropped };
}

describe('createListening', () => {
  it('drops and counts who finds no place, and has one again when an announcement is durable', () => {
    marbles((helpers) => {
      expect(listen(helpers, 'abc--d')).toEqual({
        course: ['0 receive a', '1 receive b', '3 durable', '5 receive d', '6 durable', '9 durable'],
        dropped: 1,
      });
    });
  });

  it('gives no place to those who are no news', () => {
    marbles((helpers) => {
      expect(listen(helpers, 'kkkkab')).toEqual({
        course: [
          '0 receive k',
          '1 receive k',
          '2 receive k',
          '3 receive k',
          '4 receive a',
          '5 receive b',
          '7 durable',
          '10 durable',
        ],
        dropped: 0,
      });
    });
  });

  it('hears nobody while the gate is shut', () => {
    marbles((helpers) => {
      expect(listen(helpers, 'a-b--d', { gate: 'os--o' })).toEqual({
        course: ['0 receive a', '3 durable', '5 receive d', '8 durable'],
        dropped: 0,
      });
    });
  });

  it('gives a place back when the log can never take the announcement', () => {
    marbles((helpers) => {
      const error = new EventLogUsageError('no such subject');
      expect(listen(helpers, 'a---b---c---d', { error })).toEqual({
        course: ['0', '4', '8', '12'].flatMap((ms, index) => [
          `${ms} receive ${'abcd'[index]}`,
          `${Number(ms) + 3} lost`,
        ]),
        dropped: 0,
      });
    });
  });
});
