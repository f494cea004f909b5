import {
  concat,
  concatMap,
  defaultIfEmpty,
  defer,
  first,
  forkJoin,
  from,
  map,
  mergeMap,
  NEVER,
  type Observable,
  type ObservableInput,
  race,
  repeat,
  type SchedulerLike,
  timer,
} from 'rxjs';
import { batches } from './flow/batches.ts';
import { type RetryForeverOptions, retryForever } from './flow/retry-forever.ts';
import type { GeoChain } from './ports/geo-locator.ts';
import type { LocatedIp, LocationStore } from './ports/location-store.ts';

export interface LocatingOptions {
  /** Look-ups under way at a time. */
  readonly concurrency: number;
  /** Emits when there may be new addresses. */
  readonly wake$: Observable<unknown>;
  /** The longest wait for a wake: how soon changed data are noticed. */
  readonly idleMs: number;
  readonly scheduler: SchedulerLike;
  /** Told each time the store failed; the work is tried again. */
  readonly onFailure: RetryForeverOptions['onFailure'];
}

/** What one transaction saved. */
export interface LocatingSummary {
  readonly addresses: number;
  /** Those of them whose country is known. */
  readonly placed: number;
  /** Those of which a source could not be asked. */
  readonly provisional: number;
}

const NOTHING: LocatingSummary = { addresses: 0, placed: 0, provisional: 0 };

/** Addresses taken from the store at a time, saved in smaller batches as their look-ups end. */
const TAKE = 500;
const SAVE = { size: 100, waitMs: 1_000 };

/** Wakes come with every batch of events; one look at the store serves many. */
const MIN_IDLE_MS = 1_000;

const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 60_000;

/**
 * Gives every address of the view a location, beside the reducer and never in its way: takes addresses that are due from
 * the store, looks them up, saves what was found, misses too, and begins again. Nothing is kept here between two rounds,
 * so a restart resumes.
 *
 * Emits after each transaction, and zeros after a round that had nothing to do. Never completes by itself; unsubscribing gives up look-ups under way.
 */
export function locating(
  chain: GeoChain,
  store: LocationStore,
  { concurrency, wake$, idleMs, scheduler, onFailure }: LocatingOptions,
): Observable<LocatingSummary> {
  return defer(() => {
    let taken = 0;

    const take = async (): Promise<string[]> => {
      const ips = await store.due(await chain.validVersions(), scheduler.now(), TAKE);
      taken = ips.length;
      return ips;
    };
    const save = async (located: readonly LocatedIp[]): Promise<LocatingSummary> => {
      await store.save(located, scheduler.now());
      return {
        addresses: located.length,
        placed: located.filter(({ location }) => location.place !== null).length,
        provisional: located.filter(({ provisional }) => provisional.length > 0).length,
      };
    };
    const locate = (ip: string) => chain.locate(ip).pipe(map((located) => ({ ip, ...located })));
    const untilNextRound = (): ObservableInput<unknown> => {
      if (taken > 0) return timer(0, scheduler);
      // A wake during the rest counts, and that no more can come is none.
      const woken$ = concat(wake$, NEVER).pipe(first());
      return race(forkJoin([woken$, timer(MIN_IDLE_MS, scheduler)]), timer(idleMs, scheduler));
    };

    return defer(take).pipe(
      concatMap((ips) => from(ips)),
      mergeMap(locate, concurrency),
      batches({ ...SAVE, scheduler }),
      concatMap(save),
      defaultIfEmpty(NOTHING),
      retryForever({ minDelayMs: RETRY_MIN_MS, maxDelayMs: RETRY_MAX_MS, scheduler, onFailure }),
      repeat({ delay: untilNextRound }),
    );
  });
}
