import { firstValueFrom } from 'rxjs';
import type { SentryProgram } from '../io/sentry.ts';
import { chooseNetwork } from './choose-network.ts';
import { startCrawl } from './crawl-part.ts';
import { prepareDataFolder } from './data-folder.ts';
import { drained, openEventPath } from './event-path.ts';
import type { Options } from './options.ts';
import { openScreen } from './screen.ts';
import { forceOnNextSignal, stopRequested } from './stopping.ts';
import { type Store, startStore } from './store-part.ts';
import { renderSummary, summaryPeers } from './summary.ts';
import { takeSnapshot, type Watched, watch } from './watch.ts';

/** `run`: crawl, store and serve in one process. */
export function run(options: Options): Promise<number> {
  return crawlAndStore(options, { stores: true });
}

/** The body of `run` and `sentry`, which differ in who consumes the events. */
export async function crawlAndStore(options: Options, { stores }: { readonly stores: boolean }): Promise<number> {
  const startedMs = Date.now();
  const screen = openScreen(options);
  const { logger } = screen;
  const stopping = firstValueFrom(stopRequested(options.forMs));
  const stack = new AsyncDisposableStack();
  let summary = '';
  try {
    const dataDir = await prepareDataFolder(options.dataDir);
    const chosen = await chooseNetwork(options, stack, logger);
    const path = await openEventPath({ ...options, natsMayBeAway: !stores }, dataDir, stack, logger);
    const delivered = (await (stores ? path.nats : null)) ?? path.spool;
    const store = stores ? await startStore(options, delivered, dataDir, stack, logger) : null;
    const crawling = stack.use(new AsyncDisposableStack());
    const sentry = await startCrawl(options, chosen.network, path, dataDir, crawling, logger);
    const watched: Watched = { network: chosen.network.name, startedMs, sentry, store, forwarded: path.forwarded };
    const watching = watch(watched, screen);
    stack.defer(() => watching.unsubscribe());

    const reason = await Promise.race([stopping, ...failures(sentry, store)]);
    forceOnNextSignal();
    watching.unsubscribe();
    screen.clear();
    logger.info({ reason }, 'stopping');
    await crawling.disposeAsync();
    if (store !== null) await drained(path.spool);
    const peers = store === null ? null : await summaryPeers(store.consumer.database.reader);
    summary = renderSummary(await takeSnapshot(watched), peers, chosen.truth);
  } finally {
    screen.clear();
    await stack.disposeAsync();
  }
  process.stdout.write(`${summary}\n`);
  return 0;
}

/** Promises that reject when a part of the program has failed for good. */
function failures(sentry: SentryProgram, store: Store | null): Promise<never>[] {
  return [
    firstValueFrom(sentry.failed$),
    ...(store === null ? [] : [store.consumer.ended.then(() => Promise.reject(new Error('the consumer has ended')))]),
  ];
}
