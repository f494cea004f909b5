import { beforeEach, describe, expect, it } from 'vitest';
import { askingAll } from '../../../../src/io/event-log/nats/unapplied.ts';
import { loggerWithLines } from './support/lines.ts';

/** What each durable's consumer says; it is silent where there is nothing. */
let says: Map<string, string[]>;
let asked: string[];
let lines: string[];
let askAll: ReturnType<typeof askingAll>;

beforeEach(() => {
  says = new Map();
  asked = [];
  const { logger, lines: told } = loggerWithLines();
  lines = told;
  askAll = askingAll(async (durable, eventIds) => {
    asked.push(`${durable} ${eventIds}`);
    const said = says.get(durable);
    return said === undefined ? null : new Set(said);
  }, logger);
});

describe('what has not been applied', () => {
  it('is what any consumer says', async () => {
    says.set('a', ['1', '2']).set('b', ['2', '3']);
    expect(await askAll(['a', 'b'], ['1', '2', '3', '4'])).toEqual(new Set(['1', '2', '3']));
    expect(asked).toEqual(['a 1,2,3,4', 'b 1,2,3,4']);
  });

  it('is nothing when nobody says such things', async () => {
    expect(await askAll([], ['1'])).toEqual(new Set());
  });

  it('is not known when one of them is silent, and then no other is asked', async () => {
    says.set('b', []);
    expect(await askAll(['a', 'b'], ['1'])).toBe(null);
    expect(asked).toEqual(['a 1']);
  });
});

describe('silence', () => {
  const ask = async (times: number) => {
    for (let time = 0; time < times; time++) await askAll(['a'], ['1']);
  };

  it('is told once, when it has lasted for fifteen questions', async () => {
    await ask(14);
    expect(lines).toEqual([]);
    await ask(30);
    expect(lines).toEqual([
      'nobody says what the durable a has applied: events stay in the spool until a consumer does',
    ]);
  });

  it('begins anew after an answer', async () => {
    await ask(14);
    says.set('a', []);
    await ask(1);
    says.delete('a');
    await ask(14);
    expect(lines).toEqual([]);
    await ask(1);
    expect(lines).toHaveLength(1);
  });
});
