import { describe, expect, it } from 'vitest';
import { handOver } from '../../../src/programs/event-path/attempts.ts';
import { telling } from '../../../src/programs/event-path/publisher.ts';

function setUp() {
  const said: string[] = [];
  const notes = handOver();
  const say = (level: string) => (_: unknown, text: string) => said.push(`${level}: ${text}`);
  const told = telling(notes, { warn: say('warn'), debug: say('debug') } as never);
  const fail = (doing: 'publish' | 'ask', attempt: number) =>
    told.onFailure(doing, { error: new Error(`no answer to ${attempt}`), attempt, delayMs: 1_000 });
  return { said, notes, told, fail };
}

describe('while NATS takes nothing', () => {
  it('the first attempt is told and then every thirtieth, the others only to those who look closely', () => {
    const { said, fail } = setUp();
    for (let attempt = 1; attempt <= 61; attempt++) fail('publish', attempt);
    const warned = said.flatMap((line, index) => (line.startsWith('warn') ? [index + 1] : []));
    expect(warned).toEqual([1, 31, 61]);
    expect(said).toHaveLength(61);
  });

  it('readiness says what fails, publishing before asking, until that has worked again', () => {
    const { notes, told, fail } = setUp();
    expect(notes.problem()).toBe(null);
    fail('ask', 1);
    expect(notes.problem()).toBe('asking NATS failed and is tried again: no answer to 1');
    fail('publish', 2);
    expect(notes.problem()).toBe('publishing to NATS failed and is tried again: no answer to 2');
    told.onSuccess('publish');
    expect(notes.problem()).toBe('asking NATS failed and is tried again: no answer to 1');
    told.onSuccess('ask');
    expect(notes.problem()).toBe(null);
  });
});
