import { describe, expect, it } from 'vitest';
import type { StreamState } from '../../../src/streams/ports/spool.ts';
import { createConfirmed } from '../../../src/streams/publishing/confirmed.ts';
import { looking } from '../../../src/streams/publishing/looking.ts';
import { createChangeWatch } from '../../../src/streams/publishing/stream-change.ts';
import { virtualTime } from '../../support/virtual-time.ts';
import { memoryOf, streamState } from './support/publishing.ts';

const POLL_MS = 100;
const SETTLE_MS = 150;

/** Looks at a stream whose state and whose errors the test sets. */
function look() {
  const time = virtualTime();
  const begun = streamState();
  const confirmed = createConfirmed({ memory: memoryOf(null), stream: begun, settled: 0, read: 0 });
  const stream = { now: begun as StreamState | Error, onAsk: () => {} };
  const told: string[] = [];
  const pending = { is: false };
  looking({
    stream: {
      async state() {
        told.push(`asked at ${time.scheduler.now()}`);
        stream.onAsk();
        if (stream.now instanceof Error) throw stream.now;
        return stream.now;
      },
    },
    confirmed,
    watch: createChangeWatch(begun, { found: () => told.push('lost') }),
    releasing: {
      get isPending() {
        return pending.is;
      },
      async release(readTo) {
        told.push(`read to ${readTo}`);
      },
    },
    pollMs: POLL_MS,
    settleMs: SETTLE_MS,
    scheduler: time.scheduler,
    onAnswer: () => told.push('answer'),
    onFailure: ({ error }) => told.push(`failed ${(error as Error).message}`),
  }).subscribe({ error: (error: unknown) => told.push(`error ${(error as Error).message}`) });
  return { time, confirmed, stream, told, pending };
}

describe('looking', () => {
  it('asks as long as something was not read, and lets go of what was, once it is certain', async () => {
    const { time, confirmed, stream, told } = look();
    await time.advance(POLL_MS);
    expect(told).toEqual([]);
    confirmed.add(10, 110, time.scheduler.now());
    stream.now = streamState({ firstSequence: 111, lastSequence: 110 });
    await time.advance(4 * POLL_MS);
    expect(told).toEqual(['asked at 200', 'answer', 'read to 0', 'asked at 300', 'answer', 'read to 10']);
  });

  it('asks, too, while something read is still held', async () => {
    const { time, told, pending } = look();
    pending.is = true;
    await time.advance(POLL_MS);
    expect(told).toEqual(['asked at 100', 'answer', 'read to 0']);
  });

  it('asks again after a while when the stream does not answer', async () => {
    const { time, stream, told, pending } = look();
    pending.is = true;
    stream.now = new Error('away');
    await time.advance(POLL_MS);
    stream.now = streamState();
    await time.advance(250);
    expect(told).toEqual(['asked at 100', 'failed away', 'asked at 350', 'answer', 'read to 0']);
  });

  it('ends when the stream has changed, before anything is let go of', async () => {
    const { time, stream, told, pending } = look();
    pending.is = true;
    stream.now = streamState({ session: 'second' });
    await time.advance(5 * POLL_MS);
    expect(told).toEqual(['asked at 100', 'answer', 'error it is second now, no longer first']);
  });

  it('ends when the stream lacks again and again what it has confirmed', async () => {
    const { time, confirmed, stream, told } = look();
    confirmed.add(10, 110, 0);
    stream.now = streamState({ lastSequence: 109 });
    await time.advance(3 * POLL_MS);
    expect(told.slice(-2)).toEqual(['lost', 'error the stream has lost its last messages']);
  });

  it('does not expect in an answer what was confirmed after it had asked', async () => {
    const { time, confirmed, stream, told, pending } = look();
    pending.is = true;
    let sequence = 100;
    stream.onAsk = () => {
      stream.now = streamState({ lastSequence: sequence });
      confirmed.add(++sequence, sequence, time.scheduler.now());
    };
    await time.advance(9 * POLL_MS);
    expect(told.filter((line) => line === 'answer')).toHaveLength(9);
    expect(told).not.toContain('lost');
  });
});
