import { consumerId } from '../io/event-log/consumer-id.ts';
import { LEASE_MS } from '../io/event-log/nats/lease.ts';
import { natsEventLog } from '../io/event-log/nats/log.ts';
import { prepareFolder } from '../io/storage/files/data-folder.ts';
import { lockOrStandBy } from '../programs/consumer/standby.ts';
import { startStore } from '../programs/consumer/store-part.ts';
import { namedNetwork } from './choose-network.ts';
import { checkGeo } from './geo-part.ts';
import { DEFAULT_NATS_URL } from './option-table.ts';
import type { Options } from './options.ts';
import { renderSummary } from './summary.ts';
import { type Running, type Session, untilStopped } from './until-stopped.ts';
import { takeSnapshot, type Watched, watch } from './watch.ts';

/** `consumer`: consume from NATS JetStream, store and serve. */
export function consumer(options: Options): Promise<number> {
  return untilStopped({ ...options, forMs: undefined }, (session) => start(options, session));
}

async function start(options: Options, { screen, stack, ending, faults }: Session): Promise<Running> {
  checkGeo(options);
  const startedMs = Date.now();
  const { logger } = screen;
  const chosen = await namedNetwork(options);
  const dataDir = await prepareFolder(options.dataDir, '--data-dir');
  const { lock, stoodBy } = await lockOrStandBy(options, dataDir, ending, logger);
  stack.defer(() => lock.release());
  const url = options.natsUrl ?? DEFAULT_NATS_URL;
  const log = await natsEventLog({
    url,
    logger,
    durables: [options.consumerName],
    replicas: options.natsReplicas,
    lease: { ttlMs: LEASE_MS, id: await consumerId(dataDir) },
    // Who takes over has been started long ago: nobody is there to hear that NATS is away.
    waitOnFirstConnect: stoodBy,
    signal: ending,
  });
  stack.defer(() => log.close());
  const store = await startStore(
    options,
    chosen,
    log,
    dataDir,
    { checks: [async () => log.problem()], metrics: { strays: faults.strays } },
    stack,
    logger,
  );
  const watched: Watched = { network: 'NATS', startedMs, crawl: null, store, forwarded: () => null };
  const watching = watch(watched, screen);
  stack.defer(() => watching.unsubscribe());

  return {
    failed$: store.failed$,
    async finish() {
      watching.unsubscribe();
      await store.located();
      return renderSummary(await takeSnapshot(watched), await store.summary(), null);
    },
  };
}
