import { describe, expect, it } from 'vitest';
import { AFTER_START, drainOf } from '../../../src/programs/event-path/drain.ts';
import { virtualTime } from '../../support/virtual-time.ts';

function setUp(away: string | null) {
  const time = virtualTime();
  const spool = { left: 1_234, depth: async () => ({ entries: spool.left, bytes: 1, oldestMs: null }) };
  const said: unknown[] = [];
  const drain = drainOf({
    spool,
    away: () => away,
    afterStart: AFTER_START.nats,
    logger: { warn: (...words: unknown[]) => said.push(words) } as never,
    scheduler: time.scheduler,
  });
  return { time, spool, said, drain };
}

describe('at the end', () => {
  it('waits until everything has been handed over, and then says nothing', async () => {
    const { time, spool, said, drain } = setUp(null);
    const draining = drain();
    await time.advance(500);
    spool.left = 0;
    await time.advance(50);
    expect(await draining).toBe(null);
    expect(said).toEqual([]);
  });

  it.each([
    [null, 4_000],
    ['not connected to NATS', 2_000],
  ])('with NATS away for the reason %j it waits for %i ms, then tells what is left', async (away, waitMs) => {
    const { time, said, drain } = setUp(away);
    let answer: string | null | undefined;
    const draining = drain().then((left) => {
      answer = left;
    });
    await time.advance(waitMs - 1);
    expect(answer).toBeUndefined();
    await time.advance(1);
    await draining;
    expect(answer).toBe('1,234 events wait in the spool for NATS; they are published after the next start');
    expect(said).toEqual([[{ events: 1_234 }, answer]]);
  });

  it('is drained once: who asks again gets the same answer', async () => {
    const { time, spool, said, drain } = setUp(null);
    const both = [drain(), drain()];
    await time.advance(4_000);
    expect(new Set(await Promise.all(both)).size).toBe(1);
    spool.left = 0;
    expect(await drain()).toContain('1,234 events');
    expect(said).toHaveLength(1);
  });
});
