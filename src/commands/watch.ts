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
import type { Store } from '../programs/consumer/store-part.ts';
import type { Crawl } from '../programs/sentry/crawl-part.ts';
import { failureFields, progressFields, renderProgress, type Snapshot } from './progress.ts';
import type { Screen } from './screen.ts';

const REFRESH_MS = 500;
/** Without a crawler there are no epochs to report at. */
const REPORT_MS = 60_000;

export interface Watched {
  readonly network: string;
  readonly startedMs: number;
  readonly crawl: Crawl | null;
  readonly store: Store | null;
  readonly forwarded: () => number | null;
}

export async function takeSnapshot({ network, startedMs, crawl, store, forwarded }: Watched): Promise<Snapshot> {
  const counts = store?.counts();
  return {
    network,
    upMs: Date.now() - startedMs,
    crawl: crawl?.progress() ?? null,
    store:
      store === null || counts === undefined
        ? null
        : {
            totals: await store.totals(),
            eventsStored: counts.applied,
            malformed: counts.malformed,
            parquetFiles: counts.parquetFiles,
            url: store.url,
            problems: store.problems(),
          },
    forwarded: forwarded(),
  };
}

/** Shows progress: a block that stays on a terminal, else one log line an epoch. */
export function watch(watched: Watched, { live, logger, show }: Screen): Subscription {
  const { crawl } = watched;
  const moments$: Observable<unknown> = live
    ? interval(REFRESH_MS).pipe(startWith(0))
    : crawl === null
      ? interval(REPORT_MS)
      : crawl.sentry.happenings$.pipe(filter(({ type }) => type === 'epoch'));
  return moments$
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
}
