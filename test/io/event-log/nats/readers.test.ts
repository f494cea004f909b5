import { AckPolicy, type ConsumerInfo } from 'nats';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ReadersBook, readersBook } from '../../../../src/io/event-log/nats/readers.ts';

const MINUTE_MS = 60_000;

let book: ReadersBook;

beforeEach(() => {
  book = readersBook(['own']);
});

interface Place {
  readonly delivered: number;
  /** What is delivered and not acknowledged lies behind this. */
  readonly acknowledged?: number;
}

/** A durable as the server lists it. */
function durable(name: string, { delivered, acknowledged = delivered }: Place, more: object = {}): ConsumerInfo {
  return {
    name,
    config: { durable_name: name, ack_policy: AckPolicy.Explicit, description: `Consumes (m-${name})`, ...more },
    num_ack_pending: delivered - acknowledged,
    delivered: { stream_seq: delivered, consumer_seq: 0 },
    ack_floor: { stream_seq: acknowledged, consumer_seq: 0 },
  } as ConsumerInfo;
}

describe('what all readers have acknowledged', () => {
  it('is what the one farthest behind has, others included', async () => {
    const readers = await book.learn(
      [durable('own', { delivered: 9 }), durable('other', { delivered: 8, acknowledged: 4 })],
      1,
    );
    expect(readers.acknowledged).toBe(4);
  });

  it('is nothing while one of ours is not in the list', async () => {
    expect((await book.learn([durable('other', { delivered: 8 })], 1)).acknowledged).toBe(0);
  });

  it('is as far as one that is made anew has, and those of other programs that cannot be read with', async () => {
    const list = [
      durable('own', { delivered: 9 }),
      durable('own-renewing', { delivered: 7 }),
      durable('filtering', { delivered: 5 }, { filter_subject: 'events.peer_discovered' }),
    ];
    const readers = await book.learn(list, 1);
    expect(readers.acknowledged).toBe(5);
    expect(readers.others).toEqual({});
  });
});

describe('a durable of another consumer', () => {
  const own = durable('own', { delivered: 9 });
  const other = durable('other', { delivered: 4 });

  it('is known with its mark', async () => {
    expect((await book.learn([own, other], 1)).others).toEqual({ other: 'm-other' });
  });

  it('still counts while it is gone, and so holds what it has not read', async () => {
    expect((await book.learn([own, other], 1)).missed).toBe(Number.POSITIVE_INFINITY);
    const readers = await book.learn([own], 10 * MINUTE_MS);
    expect(readers).toMatchObject({ acknowledged: 4, missed: 4, others: { other: 'm-other' } });
    expect((await book.learn([own, other], 11 * MINUTE_MS)).missed).toBe(Number.POSITIVE_INFINITY);
  });

  it('is forgotten after ten minutes', async () => {
    await book.learn([own, other], 1);
    expect(await book.learn([own], 10 * MINUTE_MS + 2)).toMatchObject({ acknowledged: 9, others: {} });
  });

  it('was there at the last look, or was not', async () => {
    expect(book.othersAtLast()).toEqual([]);
    await book.learn([own, other], 1);
    expect(book.othersAtLast()).toEqual(['other']);
    await book.learn([own], 2);
    expect(book.othersAtLast()).toEqual([]);
  });
});

it('knows what it knew when a list breaks off', async () => {
  const other = durable('other', { delivered: 4 });
  await book.learn([durable('own', { delivered: 9 }), other], 1);
  async function* brokenList() {
    yield other;
    throw new Error('no answer');
  }
  await expect(book.learn(brokenList(), 2)).rejects.toThrow('no answer');
  expect(book.othersAtLast()).toEqual(['other']);
});

it('knows whose consumers say what they have applied', async () => {
  const description = 'Consumes valtrack events, says what it has applied (mark)';
  const list = [
    durable('own', { delivered: 9 }, { description }),
    durable('quiet', { delivered: 9 }),
    durable('other', { delivered: 9 }, { description }),
  ];
  expect((await book.learn(list, 1)).saying).toEqual(['own', 'other']);
});
