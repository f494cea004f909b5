import {
  asyncScheduler,
  concatMap,
  exhaustMap,
  first,
  firstValueFrom,
  type Observable,
  race,
  type SchedulerLike,
  Subject,
  startWith,
  timer,
} from 'rxjs';
import type { Logger } from '../../io/logging/logger.ts';
import type { TrackerDatabase } from '../../io/storage/tracker/database.ts';
import { sqliteLocationStore } from '../../io/storage/tracker/locations.ts';
import { retryForever } from '../../streams/flow/retry-forever.ts';
import { locating } from '../../streams/locating.ts';
import type { Attribution, GeoChain } from '../../streams/ports/geo-locator.ts';
import type { LocationStore } from '../../streams/ports/location-store.ts';

export interface GeolocationOptions {
  /** Not closed by this. */
  readonly chain: GeoChain;
  readonly database: TrackerDatabase;
  /** Emits when there may be new addresses, such as the consumer's summaries. */
  readonly wake$: Observable<unknown>;
  readonly logger: Logger;
  readonly concurrency?: number;
  readonly idleMs?: number;
  readonly scheduler?: SchedulerLike;
}

export interface GeolocationCounts {
  readonly addresses: number;
  readonly placed: number;
  readonly provisional: number;
}

export interface Geolocation {
  /** Look-ups saved since the start. */
  counts(): GeolocationCounts;
  readonly sources: readonly string[];
  readonly attributions: readonly Attribution[];
  /** What fails at the moment; empty when all is well. */
  problems(): readonly string[];
  /** Resolves when no address waits to be located, and after `maxWaitMs` in any case. */
  settled(maxWaitMs: number): Promise<void>;
  /** Gives up what is under way. */
  close(): void;
}

const PRUNE_MS = 86_400_000;
const PRUNE_RETRY_MS = 60_000;

/** Starts to locate the addresses of the view, and forgets once a day those that no peer has any more. */
export function startGeolocation({
  chain,
  database,
  wake$,
  logger,
  concurrency = 16,
  idleMs = 30_000,
  scheduler = asyncScheduler,
}: GeolocationOptions): Geolocation {
  const store = sqliteLocationStore(database);
  const tally = { addresses: 0, placed: 0, provisional: 0 };
  const { sources, attributions } = chain;
  let problem: string | null = null;
  if (sources.length === 0) {
    return {
      sources,
      attributions,
      counts: () => tally,
      problems: chain.problems,
      settled: async () => {},
      close: () => {},
    };
  }
  const rounds = new Subject<void>();
  const isDone = async () => (await store.due(await chain.validVersions(), scheduler.now(), 1)).length === 0;

  const work = locating(chain, store, {
    concurrency,
    wake$,
    idleMs,
    scheduler,
    onFailure: ({ error, attempt, delayMs }) => {
      problem = `locations could not be saved: ${error instanceof Error ? error.message : String(error)}`;
      logger.warn({ err: error, attempt, delayMs }, 'locations could not be saved; trying again');
    },
  }).subscribe({
    next: ({ addresses, placed, provisional }) => {
      problem = null;
      tally.addresses += addresses;
      tally.placed += placed;
      tally.provisional += provisional;
      if (addresses > 0) logger.debug({ addresses, placed, provisional }, 'located');
      rounds.next();
    },
    error: (error) => {
      problem = 'geolocation has stopped';
      logger.error({ err: error }, problem);
    },
  });
  const pruning = forgetPlaces(store, logger, scheduler).subscribe();
  logger.info({ sources }, 'locating addresses');

  return {
    sources,
    attributions,
    counts: () => ({ ...tally }),
    problems: () => [...(problem === null ? [] : [problem]), ...chain.problems()],
    async settled(maxWaitMs) {
      const done$ = rounds.pipe(
        startWith(undefined),
        concatMap(isDone),
        first((isDone) => isDone, true),
      );
      await firstValueFrom(race(done$, timer(maxWaitMs, scheduler)));
    },
    close() {
      rounds.complete();
      work.unsubscribe();
      pruning.unsubscribe();
    },
  };
}

/** Once a day, places of which no peer has the address any more. */
function forgetPlaces(store: LocationStore, logger: Logger, scheduler: SchedulerLike): Observable<unknown> {
  return timer(0, PRUNE_MS, scheduler).pipe(
    exhaustMap(() => store.prune()),
    retryForever({
      minDelayMs: PRUNE_RETRY_MS,
      maxDelayMs: PRUNE_MS,
      scheduler,
      onFailure: ({ error, delayMs }) => logger.warn({ err: error, delayMs }, 'locations could not be pruned'),
    }),
  );
}
