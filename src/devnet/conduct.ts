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
  mergeMap,
  type Observable,
  type ObservableInput,
  of,
  type SchedulerLike,
  Subject,
  share,
  skip,
  take,
  takeUntil,
  tap,
  timer,
} from 'rxjs';
import type { Conduct, Offence } from './clients.ts';
import { GOODBYE } from './goodbye.ts';

/** How a client leaves a peer. */
export interface Departure {
  /** Of Goodbye. */
  readonly reason: number;
  /** What it may be banned for. */
  readonly offence: Offence | null;
}

/** Why a request to a peer has failed, where a client makes a difference. */
export class PeerFailure extends Error {
  override readonly name = 'PeerFailure';
  readonly offence: Offence;
  /** The reason of an immediate Goodbye; null where patience decides. */
  readonly goodbye: number | null;

  constructor(offence: Offence, goodbye: number | null, message: string) {
    super(message);
    this.offence = offence;
    this.goodbye = goodbye;
  }
}

/** A peer that has dialled a node, as far as the node's patience with it goes. */
export interface Dialler {
  /** Emits once the peer's Status has come. */
  readonly greeted: Observable<void>;
  /** Emits once the peer has pinged. */
  readonly pinged: Observable<void>;
  /** Requests to the peer: they end when it has answered, and fail when it does not or when the answer is bad. */
  askStatus(): ObservableInput<unknown>;
  askMetaData(): ObservableInput<unknown>;
  ping(): ObservableInput<unknown>;
}

type Request = () => ObservableInput<unknown>;

/**
 * Does what a client does with a peer that has dialled it: asks, pings, and waits for its Status. Emits how the client
 * leaves and completes when it has had enough of it; unsubscribe when the connection is gone.
 */
export function attend(
  dialler: Dialler,
  conduct: Conduct,
  scheduler: SchedulerLike = asyncScheduler,
): Observable<Departure> {
  const greeted = dialler.greeted.pipe(take(1));
  const untilGreeted = (ms: number | null): Observable<unknown> =>
    ms === null ? EMPTY : timer(ms, scheduler).pipe(takeUntil(greeted));
  const pongs = new Subject<void>();
  const metaDataDue: Observable<unknown> = {
    'at once': timer(0, scheduler),
    'after status': greeted,
    'after ping': merge(dialler.pinged, pongs).pipe(take(1)),
  }[conduct.asksMetaData];
  const ping: Request = () => from(dialler.ping()).pipe(tap({ complete: () => pongs.next() }));
  const asking = (due: Observable<unknown>, request: Request) => due.pipe(map(() => request));

  const { asksStatusAfterMs, statusIntervalMs, pingsAfterStatus, pingIntervalMs } = conduct;
  const requests = merge(
    asking(untilGreeted(asksStatusAfterMs), dialler.askStatus),
    asking(statusIntervalMs === null ? EMPTY : interval(statusIntervalMs, scheduler), dialler.askStatus),
    asking(pingsAfterStatus ? greeted : EMPTY, ping),
    asking(metaDataDue, dialler.askMetaData),
    asking(interval(pingIntervalMs, scheduler), ping),
  );
  // Requests end by themselves after a time no longer than the ping interval, so that no queue builds up.
  const failures = requests.pipe(
    concatMap((ask) =>
      from(ask()).pipe(
        ignoreElements(),
        catchError((error: unknown) => of(error)),
      ),
    ),
    share(),
  );
  const atOnce = failures.pipe(
    mergeMap((error) => {
      if (!(error instanceof PeerFailure) || error.goodbye === null) return EMPTY;
      return of({ reason: error.goodbye, offence: error.offence });
    }),
  );
  const outOfPatience = failures.pipe(
    skip(conduct.toleratedFailures),
    map((error) => ({
      reason: conduct.failureReason,
      offence: error instanceof PeerFailure ? error.offence : null,
    })),
  );
  const silence = untilGreeted(conduct.statusDeadlineMs).pipe(
    map((): Departure => ({ reason: GOODBYE.fault, offence: 'unresponsive' })),
  );
  return merge(atOnce, outOfPatience, silence).pipe(take(1));
}
