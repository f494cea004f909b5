import { concatMap, defer, type Observable, of, type SchedulerLike, timer } from 'rxjs';
import { failed, type Outcome } from '../../../consensus/failure.ts';
import type { MannersLedger } from '../../../consensus/manners/ledger.ts';

/** So long for a peer that has been asked a moment ago; whoever asks has its own patience besides. */
const MAX_WAIT_MS = 8_000;

export interface PoliteOptions {
  readonly peerId: string;
  readonly asked: 'status' | 'metadata';
  readonly ledger: MannersLedger;
  readonly scheduler: SchedulerLike;
}

/** Asks when the peer's quotas have room for it: at once, a little later, or not at all. */
export function politely<T>(
  ask: () => Observable<Outcome<T>>,
  { peerId, asked, ledger, scheduler }: PoliteOptions,
): Observable<Outcome<T>> {
  return defer(() => {
    const nowMs = scheduler.now();
    const waitMs = ledger.askableAtMs(peerId, asked, nowMs) - nowMs;
    if (waitMs > MAX_WAIT_MS) return of(failed<T>(asked, 'rate_limited', 'asked a moment ago'));
    const asking$ = defer(() =>
      ledger.tryAsk(peerId, asked, scheduler.now())
        ? ask()
        : of(failed<T>(asked, 'rate_limited', 'asked a moment ago')),
    );
    return waitMs <= 0 ? asking$ : timer(waitMs, scheduler).pipe(concatMap(() => asking$));
  });
}
