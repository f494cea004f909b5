import { defer, exhaustMap, filter, ignoreElements, interval, type Observable, type SchedulerLike } from 'rxjs';
import { type RetryForeverOptions, retryForever } from '../flow/retry-forever.ts';
import type { PublishedStream } from '../ports/spool.ts';
import type { Confirmed } from './confirmed.ts';
import type { Releasing } from './releasing.ts';
import { type ChangeWatch, isChange } from './stream-change.ts';

/** How a stream that is away is asked again. */
export const RETRY = { minDelayMs: 250, maxDelayMs: 5_000 } as const;

export interface LookingOptions {
  readonly stream: Pick<PublishedStream, 'state'>;
  readonly confirmed: Confirmed;
  readonly watch: ChangeWatch;
  readonly releasing: Releasing;
  /** How often the stream is asked what has been read, while something waits for that. */
  readonly pollMs: number;
  /** What was confirmed so long ago is certain. */
  readonly settleMs: number;
  readonly scheduler: SchedulerLike;
  readonly onAnswer: () => void;
  readonly onFailure: RetryForeverOptions['onFailure'];
}

/** Asks the stream what has been read, and lets go of that. Emits nothing; errors when the stream has changed. */
export function looking(options: LookingOptions): Observable<never> {
  const { stream, confirmed, watch, releasing, pollMs, settleMs, scheduler, onAnswer, onFailure } = options;

  async function look(): Promise<void> {
    // What is published meanwhile may be missing in the answer.
    const [expected, askedMs] = [confirmed.highest, scheduler.now()];
    const state = await stream.state();
    onAnswer();
    watch.check(state, expected);
    await confirmed.settle(askedMs - settleMs, watch.readers);
    await releasing.release(confirmed.readBefore(state.firstSequence));
  }

  return interval(pollMs, scheduler).pipe(
    filter(() => confirmed.isUnread || releasing.isPending),
    exhaustMap(() => defer(look).pipe(retryForever({ ...RETRY, scheduler, onFailure, unless: isChange }))),
    ignoreElements(),
  );
}
