import {
  asyncScheduler,
  catchError,
  concatMap,
  EMPTY,
  from,
  ignoreElements,
  interval,
  map,
  merge,
  type Observable,
  type ObservableInput,
  of,
  type SchedulerLike,
  skip,
  take,
  takeUntil,
  timer,
} from 'rxjs';
import type { Conduct } from './clients.ts';

/** Reasons of Goodbye (phase0/p2p-interface.md, "Goodbye"). */
export const GOODBYE = { irrelevantNetwork: 2, fault: 3 } as const;

/** A peer that has dialled a node, as far as the node's patience with it goes. */
export interface Dialler {
  /** Emits once the peer's Status has come. */
  readonly greeted: Observable<void>;
  /** Requests to the peer: they end when it has answered, and fail when it does not or when the answer is bad. */
  askStatus(): ObservableInput<unknown>;
  askMetaData(): ObservableInput<unknown>;
  ping(): ObservableInput<unknown>;
}

/**
 * Does what a client does with a peer that has dialled it: asks, pings, and waits for its Status. Emits the reason of
 * Goodbye and completes when the client has had enough of it; unsubscribe when the connection is gone.
 */
export function attend(
  dialler: Dialler,
  conduct: Conduct,
  scheduler: SchedulerLike = asyncScheduler,
): Observable<number> {
  const greeted = dialler.greeted.pipe(take(1));
  const untilGreeted = (ms: number | null): Observable<unknown> =>
    ms === null ? EMPTY : timer(ms, scheduler).pipe(takeUntil(greeted));
  const metaDataDue: Observable<unknown> =
    conduct.asksMetaDataAfterMs === null ? greeted : timer(conduct.asksMetaDataAfterMs, scheduler);

  const requests = merge(
    untilGreeted(conduct.asksStatusAfterMs).pipe(map(() => dialler.askStatus)),
    metaDataDue.pipe(map(() => dialler.askMetaData)),
    interval(conduct.pingIntervalMs, scheduler).pipe(map(() => dialler.ping)),
  );
  // Requests end by themselves after a time no longer than the ping interval, so that no queue builds up.
  const failures = requests.pipe(
    concatMap((ask) =>
      from(ask()).pipe(
        ignoreElements(),
        catchError(() => of(GOODBYE.fault)),
      ),
    ),
  );
  const silence = untilGreeted(conduct.statusDeadlineMs).pipe(map(() => GOODBYE.fault));
  return merge(failures.pipe(skip(conduct.toleratedFailures)), silence).pipe(take(1));
}
