import { firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { fromAbortable } from '../../../src/streams/flow/from-abortable.ts';

describe('fromAbortable', () => {
  it('emits once and completes, each subscription for itself', async () => {
    const work = vi.fn(async () => 7);
    const work$ = fromAbortable(work);
    expect(work).not.toHaveBeenCalled();
    expect(await lastValueFrom(work$.pipe(toArray()))).toEqual([7]);
    expect(await firstValueFrom(work$)).toBe(7);
    expect(work).toHaveBeenCalledTimes(2);
  });

  it('aborts the work of a subscriber who leaves, and tells nobody how it ended', async () => {
    for (const end of ['resolve', 'reject'] as const) {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const signals: AbortSignal[] = [];
      const observer = { next: vi.fn(), error: vi.fn(), complete: vi.fn() };
      const subscription = fromAbortable((signal) => {
        signals.push(signal);
        return promise;
      }).subscribe(observer);
      expect(signals[0]?.aborted).toBe(false);
      subscription.unsubscribe();
      expect(signals[0]?.aborted).toBe(true);
      if (end === 'resolve') resolve(1);
      else reject(new Error('late'));
      await promise.catch((error: Error) => error);
      expect([observer.next, observer.error, observer.complete].flatMap(({ mock }) => mock.calls)).toEqual([]);
    }
  });

  it('errors when the work rejects or throws', async () => {
    const refused = new Error('refused');
    await expect(firstValueFrom(fromAbortable(() => Promise.reject(refused)))).rejects.toBe(refused);
    await expect(
      firstValueFrom(
        fromAbortable(() => {
          throw refused;
        }),
      ),
    ).rejects.toBe(refused);
  });
});
