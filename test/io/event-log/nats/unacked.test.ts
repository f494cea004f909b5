import type { JsMsg } from 'nats';
import { beforeEach, describe, expect, it } from 'vitest';
import { type NatsUnacked, natsUnacked } from '../../../../src/io/event-log/nats/unacked.ts';

let up: boolean;
let losses: number;
let told: string[];
let unacked: NatsUnacked;

beforeEach(() => {
  up = true;
  losses = 0;
  told = [];
  unacked = natsUnacked({ isConnected: () => up, losses: () => losses });
});

/** A message that says what the server is told of it; `time` tells it from another one of the same sequence. */
function message(sequence: number, time = 1, delivery = 1): JsMsg {
  const tell = (what: string) => () => told.push(`${what} ${sequence}@${time} delivery ${delivery}`);
  return {
    info: { streamSequence: sequence, timestampNanos: time },
    ack: tell('ack'),
    working: tell('working'),
    nak: tell('nak'),
  } as unknown as JsMsg;
}

describe('what is in hand', () => {
  it('is acknowledged once, whichever time it came', () => {
    const [first, again] = [message(1), message(1, 1, 2)];
    expect([unacked.add(first), unacked.add(again)]).toEqual([true, false]);
    unacked.ack(first);
    unacked.ack(again);
    expect(told).toEqual(['ack 1@1 delivery 2']);
    expect(unacked.size).toBe(0);
  });

  it('is extended and given back together', () => {
    unacked.add(message(1));
    unacked.add(message(2));
    unacked.extend();
    unacked.giveBack();
    expect(told.map((line) => line.split(' ')[0])).toEqual(['working', 'working', 'nak', 'nak']);
    expect(unacked.size).toBe(0);
  });
});

describe.each([
  ['the connection was lost', () => losses++],
  ['the stream or durable may be another one', () => unacked.detach()],
])('once %s', (_, happens) => {
  it('the server hears nothing of what came before, and of what comes after as ever', () => {
    const [old, kept] = [message(1), message(2)];
    unacked.add(old);
    unacked.add(kept);
    happens();
    unacked.ack(old);
    unacked.extend();
    // The sequence of the old one, given to another after the end of the stream was lost.
    const other = message(1, 9);
    expect(unacked.add(other)).toBe(true);
    unacked.extend();
    unacked.ack(other);
    expect(told).toEqual(['working 1@9 delivery 1', 'ack 1@9 delivery 1']);
    unacked.giveBack();
    expect(told).toHaveLength(2);
  });

  it('what comes again is acknowledged: by who has it in hand, or anew when that is done', () => {
    const [inHand, done] = [message(1), message(2)];
    unacked.add(inHand);
    unacked.add(done);
    happens();
    unacked.ack(done);
    expect(unacked.add(message(1, 1, 2))).toBe(false);
    unacked.ack(inHand);
    expect(unacked.add(message(2, 1, 2))).toBe(true);
    unacked.ack(message(2, 1, 2));
    expect(told).toEqual(['ack 1@1 delivery 2', 'ack 2@1 delivery 2']);
  });
});

it('the server hears nothing while the connection is away', () => {
  const one = message(1);
  unacked.add(one);
  up = false;
  unacked.extend();
  unacked.ack(one);
  expect(told).toEqual([]);
});
