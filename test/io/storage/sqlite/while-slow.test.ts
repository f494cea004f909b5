import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { whileSlow } from '../../../../src/io/storage/sqlite/while-slow.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('whileSlow', () => {
  it.each([
    [999, []],
    [1_001, ['checking']],
    [60_000, ['checking']],
  ])('of work of %i ms says %j', async (ms, told) => {
    const heard: string[] = [];
    const work = Promise.withResolvers<number>();
    const slow = whileSlow(
      (text) => heard.push(text),
      'checking',
      () => work.promise,
    );
    await vi.advanceTimersByTimeAsync(ms);
    work.resolve(7);
    expect(await slow).toBe(7);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(heard).toEqual(told);
  });

  it('says nothing after work that has failed', async () => {
    const heard: string[] = [];
    await expect(
      whileSlow(
        (text) => heard.push(text),
        'x',
        () => Promise.reject(new Error('no')),
      ),
    ).rejects.toThrow('no');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(heard).toEqual([]);
  });
});
