import { catchError, defaultIfEmpty, defer, type Observable, of, type SchedulerLike, take, timeout } from 'rxjs';
import { failed, type Outcome, type Stage } from '../../consensus/failure.ts';

export interface AnswerWithinOptions {
  /** Where a failure is said to have happened. */
  readonly stage: Stage;
  readonly timeoutMs: number;
  readonly scheduler: SchedulerLike;
}

/**
 * Asks a port once and always has one answer: an answer that is late, thrown or never given becomes a failure, so that
 * one peer cannot end the stream that serves them all.
 */
export function answerWithin<T>(
  ask: () => Observable<Outcome<T>>,
  { stage, timeoutMs, scheduler }: AnswerWithinOptions,
): Observable<Outcome<T>> {
  return defer(ask).pipe(
    take(1),
    timeout({
      first: timeoutMs,
      scheduler,
      with: () => of(failed<T>(stage, 'timeout', `no answer in ${timeoutMs} ms`)),
    }),
    defaultIfEmpty(failed<T>(stage, 'unknown', 'no answer')),
    catchError((error: unknown) => of(failed<T>(stage, 'unknown', String(error)))),
  );
}
