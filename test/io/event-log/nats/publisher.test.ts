import { NatsError } from 'nats';
import { beforeEach, describe, expect, it } from 'vitest';
import { EventLogUnreachableError } from '../../../../src/io/event-log/nats/errors.ts';
import { type NatsPublisher, natsPublisher } from '../../../../src/io/event-log/nats/publisher.ts';
import { StreamChangedError } from '../../../../src/streams/ports/spool.ts';
import { entries } from '../../../support/event-log/contract.ts';

let session: string;
/** What was asked for, in order. */
let happened: string[];
/** Errors of the next publications, in order; `undefined` for none. */
let failures: (Error | undefined)[];
let onPublish: () => void;
let publisher: NatsPublisher;

beforeEach(() => {
  session = 's1';
  happened = [];
  failures = [];
  onPublish = () => undefined;
  let sequence = 0;
  publisher = natsPublisher({
    link: { servers: 'here:4222', connected: async () => void happened.push('connected') },
    topology: {
      async ensure() {
        happened.push('ensure');
        return { incarnation: '', firstSequence: 1, lastSequence: 0 };
      },
    },
    jetstream: {
      async publish(_subject, _payload, options) {
        happened.push(`publish ${options?.msgID?.replace(/again-.*/, 'again')}`);
        onPublish();
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        const duplicate = options?.msgID === 'known:0';
        return { stream: 'EVENTS', domain: '', seq: ++sequence, duplicate };
      },
    },
    session: () => session,
    timeoutMs: 1_000,
  });
});

const noResponders = () => new NatsError('503', '503');

describe('a publication', () => {
  it('comes after the connection, and after stream and durables are there', async () => {
    expect(await publisher.publish(entries(0, 2), null)).toBe(2);
    expect(happened).toEqual(['connected', 'ensure', 'publish run:0', 'publish run:1']);
  });

  it('does not begin before the one before has ended, well or not', async () => {
    failures = [new Error('first')];
    const first = publisher.publish(entries(0, 1), null);
    const second = publisher.publish(entries(1, 1), null);
    await expect(first).rejects.toThrow('first');
    expect(await second).toBe(1);
    const each = (id: string) => ['connected', 'ensure', `publish ${id}`];
    expect(happened).toEqual([...each('run:0'), ...each('run:1')]);
  });

  it('is tried once more when the stream was removed just now', async () => {
    failures = [noResponders()];
    expect(await publisher.publish(entries(0, 1), null)).toBe(1);
    expect(happened).toEqual(['connected', 'ensure', 'publish run:0', 'ensure', 'publish run:0']);
  });

  it('is given up when that does not help', async () => {
    failures = [noResponders(), noResponders()];
    await expect(publisher.publish(entries(0, 1), null)).rejects.toThrow(/here:4222.*JetStream enabled/);
    expect(happened.filter((what) => what.startsWith('publish'))).toHaveLength(2);
  });

  it('fails with what it means to the user of a log', async () => {
    failures = [new NatsError('timeout', 'TIMEOUT')];
    await expect(publisher.publish(entries(0, 1), null)).rejects.toBeInstanceOf(EventLogUnreachableError);
  });

  it('is taken again under another id, when it may be lost though its id is known', async () => {
    await publisher.publish(entries(0, 1, 'known'), { session, isRepeated: false });
    await publisher.publish(entries(0, 1, 'known'), { session, isRepeated: true });
    expect(happened.filter((what) => what.startsWith('publish'))).toEqual([
      'publish known:0',
      'publish known:0',
      'publish known:0~again',
    ]);
  });
});

describe('a session', () => {
  it('that has ended before takes nothing', async () => {
    const published = publisher.publish(entries(0, 1), { session: 's0', isRepeated: false });
    await expect(published).rejects.toThrow(new StreamChangedError('NATS is s1 now, no longer s0'));
    expect(happened).toEqual(['connected', 'ensure']);
  });

  it('that ends meanwhile makes no promise', async () => {
    onPublish = () => {
      session = 's2';
    };
    const published = publisher.publish(entries(0, 1), { session: 's1', isRepeated: false });
    await expect(published).rejects.toBeInstanceOf(StreamChangedError);
  });

  it('does not matter to who only appends', async () => {
    onPublish = () => {
      session += '+';
    };
    expect(await publisher.publish(entries(0, 1), null)).toBe(1);
  });
});
