import { firstValueFrom, materialize, Subject, take, toArray } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../src/io/logging/logger.ts';
import { keepRunning, RESTARTS } from '../../src/programs/keep-running.ts';
import { PartFailedError } from '../../src/streams/flow/supervise.ts';
import { virtualTime } from '../support/virtual-time.ts';

function setUp() {
  const lines: string[] = [];
  const logger = createLogger({
    level: 'info',
    format: 'json',
    write: (line) => lines.push((JSON.parse(line) as { msg: string }).msg),
  });
  const time = virtualTime();
  const story: string[] = [];
  const failures: Subject<never>[] = [];
  const start = async () => {
    const failed$ = new Subject<never>();
    const index = failures.push(failed$);
    story.push(`start ${index}`);
    return { failed$, index, stop: async () => void story.push(`stop ${index}`) };
  };
  const keep = () => keepRunning('the part', start, { logger, scheduler: time.scheduler });
  return { lines, time, story, keep, fail: (reason: string) => failures.at(-1)?.error(new Error(reason)) };
}

describe('keepRunning', () => {
  it('restarts the part after a second, and says so in the log, in readiness and to those who watch', async () => {
    const { lines, time, story, keep, fail } = setUp();
    const kept = await keep();
    const seen = firstValueFrom(kept.current$.pipe(take(3), toArray()));
    expect([kept.current?.index, kept.problem()]).toEqual([1, null]);
    expect([kept.name, kept.restarts]).toEqual(['the part', 0]);
    fail('no luck');
    await time.advance(RESTARTS.minDelayMs - 1);
    expect(kept.current).toBe(null);
    expect(kept.problem()).toBe('the part has failed and is started again: no luck');
    await time.advance(1);
    expect([kept.current?.index, kept.problem()]).toEqual([2, null]);
    expect(kept.restarts).toBe(1);
    expect((await seen).map((part) => part?.index)).toEqual([1, undefined, 2]);
    await kept.stop();
    await kept.stop();
    expect(story).toEqual(['start 1', 'stop 1', 'start 2', 'stop 2']);
    expect(lines).toEqual(['the part has failed and is started again', 'the part runs again']);
  });

  it('gives up at the fifth failure within ten minutes', async () => {
    const { time, keep, fail } = setUp();
    const kept = await keep();
    const end = firstValueFrom(kept.failed$.pipe(materialize()));
    for (const delayMs of [1_000, 2_000, 4_000, 8_000]) {
      fail('again');
      await time.advance(delayMs);
    }
    expect(kept.current?.index).toBe(5);
    fail('enough');
    expect(kept.restarts).toBe(4);
    await expect(end).resolves.toMatchObject({
      error: new PartFailedError('the part failed 5 times within 10 minutes, the last time with: enough'),
    });
    expect(kept.problem()).toBe('the part failed 5 times within 10 minutes, the last time with: enough');
    await kept.stop();
  });

  it('passes on what the first start fails with', async () => {
    const { lines, time } = setUp();
    const logger = createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) });
    const start = vi.fn(async () => {
      throw new Error('in use');
    });
    await expect(keepRunning('it', start, { logger, scheduler: time.scheduler })).rejects.toThrow('in use');
    await time.advance(2_000);
    expect(start).toHaveBeenCalledTimes(1);
    expect(lines).toEqual([]);
  });
});
