import { firstValueFrom, fromEvent, map, race, type SchedulerLike, timer } from 'rxjs';

/** Lets requests through one by one at a steady rate; how many may wait is up to who asks. */
export interface Pace {
  /** Resolves when it is the caller's turn; rejects when `signal` is aborted before. */
  turn(signal: AbortSignal): Promise<void>;
}

export function createPace(perSecond: number, scheduler: SchedulerLike): Pace {
  let nextMs = Number.NEGATIVE_INFINITY;
  return {
    async turn(signal) {
      signal.throwIfAborted();
      const nowMs = scheduler.now();
      const turnMs = Math.max(nowMs, nextMs);
      nextMs = turnMs + 1_000 / perSecond;
      if (turnMs <= nowMs) return;
      await firstValueFrom(
        race(timer(turnMs - nowMs, scheduler), fromEvent(signal, 'abort').pipe(map(() => signal.throwIfAborted()))),
      );
    },
  };
}
