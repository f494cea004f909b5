import { beforeEach, describe, expect, it } from 'vitest';
import type { NatsLink } from '../../../../src/io/event-log/nats/connection.ts';
import { EventLogUnreachableError } from '../../../../src/io/event-log/nats/errors.ts';
import { type NatsPublishedStream, natsPublishedStream } from '../../../../src/io/event-log/nats/published-stream.ts';
import type { Readers } from '../../../../src/io/event-log/nats/readers.ts';
import { loggerWithLines } from './support/lines.ts';

let losses: number;
let place: { firstSequence: number; lastSequence: number };
let readers: Readers;
let onLearn: () => void;
/** The subjects at which consumers were asked; each says that it has applied nothing. */
let asked: string[];
let stream: NatsPublishedStream;

beforeEach(() => {
  losses = 0;
  place = { firstSequence: 3, lastSequence: 9 };
  readers = { acknowledged: 2, missed: Number.POSITIVE_INFINITY, others: { other: 'mark' }, saying: [] };
  onLearn = () => undefined;
  asked = [];
  const connection = {
    async request(subject: string, eventIds: string) {
      asked.push(subject);
      return { data: Buffer.from(eventIds) };
    },
  } as unknown as NatsLink['connection'];
  stream = natsPublishedStream({
    link: { connection, servers: 'here:4222', connected: async () => undefined, losses: () => losses },
    topology: {
      incarnation: 'stream durable',
      leader: 'n1',
      ensure: async () => ({ incarnation: 'stream durable', ...place }),
      async learn() {
        onLearn();
        return readers;
      },
    },
    jetstream: { publish: () => expect.unreachable() },
    logger: loggerWithLines().logger,
    timeoutMs: 1_000,
  });
});

describe('the state of the stream', () => {
  it('is where it stands, who reads it, and a session for stream, leader and connection', async () => {
    expect(await stream.state()).toEqual({
      incarnation: 'stream durable',
      session: 'stream durable n1 after 0 losses',
      firstSequence: 3,
      lastSequence: 9,
      readers: { other: 'mark' },
    });
  });

  it.each([
    ['the server keeps what it had been told was read', { acknowledged: 5 }, 6],
    ['a reader that is gone has not read so far', { acknowledged: 5, missed: 1 }, 2],
    ['not all readers can be asked', { acknowledged: 0 }, 3],
  ])('begins with what some reader has not acknowledged: %s', async (_, more, expected) => {
    readers = { ...readers, ...more };
    expect((await stream.state()).firstSequence).toBe(expected);
  });

  it('is not known when the connection is lost meanwhile', async () => {
    onLearn = () => losses++;
    await expect(stream.state()).rejects.toBeInstanceOf(EventLogUnreachableError);
    onLearn = () => undefined;
    expect((await stream.state()).session).toContain('after 1 losses');
  });
});

it('asks those consumers what they have not applied that said, when the state was asked for, that they tell', async () => {
  expect(await stream.unapplied(['1'])).toEqual(new Set());
  readers = { ...readers, saying: ['a', 'b'] };
  await stream.state();
  expect(await stream.unapplied(['1'])).toEqual(new Set(['1']));
  expect(asked).toEqual(['valtrack.applied.a', 'valtrack.applied.b']);
});
