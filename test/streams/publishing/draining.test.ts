import { concat, NEVER, of, Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Delivery } from '../../../src/streams/ports/event-log.ts';
import { StreamChangedError } from '../../../src/streams/ports/spool.ts';
import { draining } from '../../../src/streams/publishing/draining.ts';
import { createPublisher } from '../../../src/streams/publishing/publisher.ts';
import { virtualTime } from '../../support/virtual-time.ts';
import { deliveries } from './support/publishing.ts';

/** Drains five entries, two at a time; `refusals` are what the stream says to the first batches. */
function drain(refusals: Error[], closed$: Subject<never> | typeof NEVER = NEVER) {
  const time = virtualTime();
  const acked: number[] = [];
  const told: string[] = [];
  let sequence = 100;
  const stream = {
    async publish(entries: readonly object[]) {
      const refusal = refusals.shift();
      if (refusal !== undefined) throw refusal;
      sequence += entries.length;
      return sequence;
    },
  };
  const drained$ = draining({
    spool: { deliveries: () => concat(of<Delivery[]>(...deliveries(1, 5, acked)), closed$) },
    published: 'published',
    session: 'first',
    publisher: createPublisher(stream, 0, () => undefined),
    confirmed: { add: (position, given, nowMs) => told.push(`${position} is ${given} at ${nowMs}`) },
    batchSize: 2,
    batchMs: 5,
    scheduler: time.scheduler,
    onFailure: ({ error }) => told.push(`failed ${(error as Error).message}`),
  });
  drained$.subscribe({
    next: (published) => told.push(`published ${published}`),
    error: (error: unknown) => told.push(`error ${(error as Error).message}`),
    complete: () => told.push('complete'),
  });
  return { time, acked, told };
}

describe('draining', () => {
  it('acknowledges a batch once the stream has it, notes its last position and sequence, and says how much it was', async () => {
    const closed$ = new Subject<never>();
    const { time, acked, told } = drain([], closed$);
    await time.advance(10);
    expect(acked).toEqual([1, 2, 3, 4, 5]);
    expect(told).toEqual([
      '2 is 102 at 0',
      'published 2',
      '4 is 104 at 0',
      'published 4',
      '5 is 105 at 5',
      'published 5',
    ]);
    closed$.complete();
    expect(told.at(-1)).toBe('complete');
  });

  it('tries a batch again while the stream does not take it', async () => {
    const { time, acked, told } = drain([new Error('away')]);
    await time.advance(100);
    expect([acked, told]).toEqual([[], ['failed away']]);
    await time.advance(200);
    expect(acked).toEqual([1, 2, 3, 4, 5]);
    expect(told.at(-1)).toBe('published 5');
  });

  it('ends when the stream has changed, and has acknowledged nothing of what that did not take', async () => {
    const { time, acked, told } = drain([new StreamChangedError('another one')]);
    await time.advance(300);
    expect([acked, told]).toEqual([[], ['error another one']]);
  });
});
