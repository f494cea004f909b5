import {
  catchError,
  concatMap,
  EMPTY,
  exhaustMap,
  filter,
  interval,
  type Observable,
  type Subscription,
  startWith,
} from 'rxjs';
import type { Storing } from '../programs/consumer/storing.ts';
import type { EventPath } from '../programs/event-path/event-path.ts';
import type { WatchedSentry } from '../programs/sentry/watched-sentry.ts';
import { failureFields, progressFields, renderProgress, type Snapshot, type StoreProgress } from './progress.ts';
import type { Screen } from './screen.ts';

const REFRESH_MS = 500;
/** Without a crawler there are no epochs to report at. */
const REPORT_MS = 60_000;

/** The parts of a program that say how far they are; `null` for those it does not have. */
export interface Watched {
  readonly network: string;
  readonly startedMs: number;
  readonly sentry: WatchedSentry | null;
  readonly storing: { readonly storing: Storing; readonly url: string } | null;
  readonly events: Pick<EventPath, 'forwarded'> | null;
}

export async function takeSnapshot({ network, startedMs, sentry, storing, events }: Watched): Promise<Snapshot> {
  return {
    network,
    upMs: Date.now() - startedMs,
    crawl: sentry?.progress() ?? null,
    store: storing === null ? null : await storeProgress(storing),
    forwarded: events?.forwarded() ?? null,
  };
}

async function storeProgress({ storing, url }: NonNullable<Watched['storing']>): Promise<StoreProgress> {
  const { applied: eventsStored, malformed, parquetFiles } = storing.counts();
  return { totals: await storing.totals(), eventsStored, malformed, parquetFiles, url, problems: storing.problems() };
}

/** Shows progress: a block that stays on a terminal, else one log line an epoch. Ends with the stack, if not before. */
export function watch(watched: Watched, { live, logger, show }: Screen, stack: AsyncDisposableStack): Subscription {
  const { sentry } = watched;
  const moments$: Observable<unknown> = live
    ? interval(REFRESH_MS).pipe(startWith(0))
    : sentry === null
      ? interval(REPORT_MS)
      : sentry.sentry.happenings$.pipe(filter(({ type }) => type === 'epoch'));
  const watching = moments$
    .pipe(
      live ? exhaustMap(() => takeSnapshot(watched)) : concatMap(() => takeSnapshot(watched)),
      catchError((error: unknown) => {
        logger.warn({ err: error }, 'progress can no longer be shown');
        return EMPTY;
      }),
    )
    .subscribe((snapshot) => {
      if (live) show((columns) => renderProgress(snapshot, columns));
      else logger.info({ ...progressFields(snapshot), ...failureFields(snapshot) }, 'progress');
    });
  stack.defer(() => watching.unsubscribe());
  return watching;
}
