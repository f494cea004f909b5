import { describe, expect, it } from 'vitest';
import { type DurableLook, type ReaderLook, stallWatch } from '../../../../src/io/event-log/nats/stall.ts';

/** Looks every 5 s, an ack wait of 30 s: stuck after twelve looks at an ack floor that stood still. */
const TIMES = { ackWaitMs: 30_000, lookMs: 5_000 };
const DURABLE: DurableLook = { waits: 0, unacknowledged: 0, ackFloor: 100, asked: 1 };
const READER: ReaderLook = { received: 100, inHand: 0, maxInFlight: 10 };

/** What the watch says to `count` looks; `change` tells how look number `index` differs. */
function looks(
  count: number,
  change: (index: number) => { durable?: Partial<DurableLook>; reader?: Partial<ReaderLook> },
): string[] {
  const stallOf = stallWatch(TIMES);
  return Array.from({ length: count }, (_, index) => {
    const { durable, reader } = change(index);
    return stallOf({ ...DURABLE, ...durable }, { ...READER, ...reader });
  });
}

const nones = (count: number) => Array.from({ length: count }, () => 'none');

describe('a durable is stuck', () => {
  it.each([
    ['messages wait', { waits: 5 }],
    ['what somebody who is gone was given does not come', { unacknowledged: 5 }],
  ])('when %s and the ack floor stands still for two ack waits', (_, durable) => {
    // The first look has nothing to compare with.
    expect(looks(14, () => ({ durable }))).toEqual([...nones(12), 'stuck', 'none']);
  });

  it('however much comes meanwhile', () => {
    const seen = looks(13, (index) => ({
      durable: { unacknowledged: 79 },
      reader: { received: index * 50, inHand: 3 },
    }));
    expect(seen.at(-1)).toBe('stuck');
  });

  it('again, when it is still so, after twice as long each time', () => {
    const seen = looks(100, () => ({ durable: { waits: 5 } }));
    expect(seen.flatMap((stall, index) => (stall === 'stuck' ? [index] : []))).toEqual([12, 36, 84]);
  });

  it('as soon as at first, once it has given everything in between', () => {
    const seen = looks(50, (index) => ({ durable: { waits: index === 20 ? 0 : 5 } }));
    // After look 20 it owes something again from look 21 on.
    expect(seen.flatMap((stall, index) => (stall === 'stuck' ? [index] : []))).toEqual([12, 32]);
  });
});

describe('a durable is not stuck', () => {
  it.each([
    ['nothing waits', {}, {}],
    ['all that is unacknowledged is in our hands', { unacknowledged: 5 }, { inHand: 5 }],
    ['we have as much as we may', { waits: 5, unacknowledged: 10 }, { inHand: 10 }],
  ])('while %s', (_, durable, reader) => {
    expect(looks(40, () => ({ durable, reader }))).toEqual(nones(40));
  });

  it('while its ack floor moves now and then', () => {
    const seen = looks(60, (index) => ({ durable: { waits: 5, ackFloor: 100 + Math.floor(index / 12) } }));
    expect(seen).toEqual(nones(60));
  });

  it('when it owed us nothing in between', () => {
    expect(looks(60, (index) => ({ durable: { waits: index % 12 === 0 ? 0 : 5 } }))).toEqual(nones(60));
  });
});

describe('a request is lost', () => {
  it('when messages wait, the server has none, and nothing came between three looks', () => {
    expect(looks(4, () => ({ durable: { waits: 5, asked: 0 } }))).toEqual(['none', 'none', 'unasked', 'none']);
  });

  it.each([
    ['the server has one', { waits: 5, asked: 1 }, () => 100],
    ['nothing waits', { waits: 0, asked: 0 }, () => 100],
    ['messages come', { waits: 5, asked: 0 }, (index: number) => index],
  ])('not while %s', (_, durable, received) => {
    const seen = looks(10, (index) => ({
      durable: { ...durable, ackFloor: index },
      reader: { received: received(index) },
    }));
    expect(seen).toEqual(nones(10));
  });
});
