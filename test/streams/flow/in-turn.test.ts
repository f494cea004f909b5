import { beforeEach, describe, expect, it } from 'vitest';
import { inTurn, type Turns } from '../../../src/streams/flow/in-turn.ts';

let turns: Turns;
let happened: string[];

beforeEach(() => {
  turns = inTurn();
  happened = [];
});

/** Work that says when it begins and ends, and goes on when it is told to. */
function work(name: string) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const result = turns.take(async () => {
    happened.push(`${name} begins`);
    try {
      return await promise;
    } finally {
      happened.push(`${name} ends`);
    }
  });
  return { result, end: () => resolve(name), fail: () => reject(new Error(name)) };
}

describe('what is done in turn', () => {
  it('does not begin before what was asked for earlier has ended', async () => {
    const [first, second] = [work('first'), work('second')];
    second.end();
    first.end();
    expect(await Promise.all([first.result, second.result])).toEqual(['first', 'second']);
    expect(happened).toEqual(['first begins', 'first ends', 'second begins', 'second ends']);
  });

  it('fails for who asked for it, and the next is done all the same', async () => {
    const [first, second] = [work('first'), work('second')];
    first.fail();
    second.end();
    await expect(first.result).rejects.toThrow('first');
    expect(await second.result).toBe('second');
  });

  it('is done when the last has ended, well or not', async () => {
    await turns.done();
    const [first, second] = [work('first'), work('second')];
    const done = turns.done().then(() => happened.push('done'));
    first.end();
    second.fail();
    await Promise.allSettled([second.result, done]);
    expect(happened.slice(-2)).toEqual(['second ends', 'done']);
  });
});
