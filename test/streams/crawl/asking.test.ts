import { delay, finalize, map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { success } from '../../../src/consensus/failure.ts';
import { asking } from '../../../src/streams/crawl/asking.ts';
import { createFrontier } from '../../../src/streams/crawl/frontier.ts';
import { createSlots } from '../../../src/streams/flow/slots.ts';
import type { LogEntry } from '../../../src/streams/ports/event-log.ts';
import { type Marbles, marbles } from '../../support/streams/marbles.ts';
import { virtualPromise } from '../../support/streams/virtual-promise.ts';

const ENTRY: LogEntry = { subject: 's', eventId: 'e:0', payload: new Uint8Array() };
const APPEND_MS = 3;

/** Asks three nodes, two at a time, each of which answers after 2 ms and tells of one that is news. */
function run({ hot, scheduler, expectObservable, flush }: Marbles, gate: string, end: string): string[] {
  const course: string[] = [];
  const note = (what: string) => course.push(`${scheduler.now()} ${what}`);
  const frontier = createFrontier({ maxNodes: 9, isOurs: () => true });
  const slots = createSlots(2);
  const asking$ = asking(
    (targets$) =>
      targets$.pipe(
        map((target) => {
          note(`ask ${target.enr}`);
          return { target, answer: success({ records: [], requests: 1 }) };
        }),
        delay(2, scheduler),
      ),
    {
      frontier,
      slots,
      isOpen$: hot(gate, { o: true, s: false }),
      receive({ target }) {
        note(`receive ${target.enr}`);
        return { arrivals: [], entries: [ENTRY] };
      },
      settle: (_, failed) => note(failed === null ? `durable, ${slots.taken} taken` : 'lost'),
      log: { append: () => virtualPromise(scheduler, APPEND_MS) },
      record: { batchMs: 0, batchSize: 1, scheduler },
      scheduler,
    },
  ).pipe(finalize(() => note('end')));
  frontier.rounds$.subscribe(({ answered }) => note(`round ${answered}`));
  frontier.startRound(
    ['a', 'b', 'c'].map((enr) => ({ nodeId: enr, enr })),
    0,
  );
  expectObservable(asking$, end).toBe('');
  flush();
  return course;
}

describe('asking', () => {
  it('gives the slot of a node to the next one only when what it told of is durable, and ends the round', () => {
    marbles((helpers) => {
      expect(run(helpers, 'o', '30ms !')).toEqual([
        '0 ask a',
        '0 ask b',
        '2 receive a',
        '2 receive b',
        '5 durable, 2 taken',
        '5 ask c',
        '7 receive c',
        '8 durable, 2 taken',
        '11 durable, 1 taken',
        '11 round 3',
        '30 end',
      ]);
    });
  });

  it('asks nobody new while the gate is shut, and goes on with what is under way', () => {
    marbles((helpers) => {
      expect(run(helpers, 'os-----------------o', '40ms !')).toEqual([
        '0 ask a',
        '0 ask b',
        '2 receive a',
        '2 receive b',
        '5 durable, 2 taken',
        '8 durable, 1 taken',
        '19 ask c',
        '21 receive c',
        '24 durable, 1 taken',
        '24 round 3',
        '40 end',
      ]);
    });
  });
});
