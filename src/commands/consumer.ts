import { firstValueFrom } from 'rxjs';
import { natsEventLog } from '../io/event-log/nats.ts';
import { prepareDataFolder } from './data-folder.ts';
import type { Options } from './options.ts';
import { openScreen } from './screen.ts';
import { forceOnNextSignal, stopRequested } from './stopping.ts';
import { startStore } from './store-part.ts';
import { renderSummary, summaryPeers } from './summary.ts';
import { takeSnapshot, type Watched, watch } from './watch.ts';

const DEFAULT_NATS_URL = 'nats://localhost:4222';

/** `consumer`: consume from NATS JetStream, store and serve. */
export async function consumer(options: Options): Promise<number> {
  const startedMs = Date.now();
  const screen = openScreen(options);
  const { logger } = screen;
  const stopping = firstValueFrom(stopRequested(undefined));
  const stack = new AsyncDisposableStack();
  let summary = '';
  try {
    const dataDir = await prepareDataFolder(options.dataDir);
    const url = options.natsUrl ?? DEFAULT_NATS_URL;
    const log = await natsEventLog({ url, logger, durables: [options.consumerName] });
    stack.defer(() => log.close());
    const store = await startStore(options, log, dataDir, stack, logger);
    const watched: Watched = { network: 'NATS', startedMs, sentry: null, store, forwarded: () => null };
    const watching = watch(watched, screen);
    stack.defer(() => watching.unsubscribe());

    const ended = store.consumer.ended.then(() => Promise.reject(new Error('the consumer has ended')));
    const reason = await Promise.race([stopping, ended]);
    forceOnNextSignal();
    watching.unsubscribe();
    screen.clear();
    logger.info({ reason }, 'stopping');
    const peers = await summaryPeers(store.consumer.database.reader);
    summary = renderSummary(await takeSnapshot(watched), peers, null);
  } finally {
    screen.clear();
    await stack.disposeAsync();
  }
  process.stdout.write(`${summary}\n`);
  return 0;
}
