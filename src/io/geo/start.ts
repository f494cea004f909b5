import { asyncScheduler, exhaustMap, type Observable, type SchedulerLike, timer } from 'rxjs';
import { locating } from '../../streams/locating.ts';
import type { GeoChain } from '../../streams/ports/geo-locator.ts';
import type { Logger } from '../logger.ts';
import type { TrackerDatabase } from '../tracker/database.ts';
import { sqliteLocationStore } from '../tracker/locations.ts';

export interface GeolocationOptions {
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
  /** What fails at the moment; `null` when all is well. */
  problem(): string | null;
  /** Gives up what is under way and closes the sources. */
  close(): Promise<void>;
}

const PRUNE_MS = 86_400_000;

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
  let problem: string | null = null;
  if (chain.sources.length === 0) return { counts: () => tally, problem: () => null, close: () => chain.close() };

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
      logger.debug({ addresses, placed, provisional }, 'located');
    },
    error: (error) => {
      problem = 'geolocation has stopped';
      logger.error({ err: error }, problem);
    },
  });
  const pruning = timer(0, PRUNE_MS, scheduler)
    .pipe(exhaustMap(() => store.prune()))
    .subscribe({ error: (error) => logger.warn({ err: error }, 'locations could not be pruned until the next start') });
  logger.info({ sources: chain.sources }, 'locating addresses');

  return {
    counts: () => ({ ...tally }),
    problem: () => problem,
    async close() {
      work.unsubscribe();
      pruning.unsubscribe();
      await chain.close();
    },
  };
}
