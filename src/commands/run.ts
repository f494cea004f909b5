import { firstValueFrom, merge, NEVER, timer } from 'rxjs';
import { healthAndMetrics } from '../io/http/health.ts';
import type { Logger } from '../io/logging/logger.ts';
import { prepareFolder } from '../io/storage/files/data-folder.ts';
import { lockFolder } from '../io/storage/files/folder-lock.ts';
import { startStore, type Told } from '../programs/consumer/store-part.ts';
import { openEventPath } from '../programs/event-path/event-path.ts';
import { type HttpPart, startHttpPart } from '../programs/http-part.ts';
import { startCrawl } from '../programs/sentry/crawl-part.ts';
import { chooseNetwork } from './choose-network.ts';
import { checkGeo } from './geo-part.ts';
import type { Options } from './options.ts';
import { renderSummary } from './summary.ts';
import { type Running, type Session, untilStopped } from './until-stopped.ts';
import { takeSnapshot, type Watched, watch } from './watch.ts';

const CRAWL_STOP_MS = 3_000;

/** `run`: crawl, store and serve in one process. */
export function run(options: Options): Promise<number> {
  return crawlAndStore(options, { stores: true });
}

/** The body of `run` and `sentry`, which differ in who consumes the events. */
export function crawlAndStore(options: Options, parts: { readonly stores: boolean }): Promise<number> {
  return untilStopped(options, (session) => start(options, parts, session));
}

async function start(
  options: Options,
  { stores }: { readonly stores: boolean },
  { screen, stack, faults, ending }: Session,
): Promise<Running> {
  if (stores) checkGeo(options);
  const startedMs = Date.now();
  const { logger } = screen;
  const dataDir = await prepareFolder(options.dataDir, '--data-dir');
  for (const role of stores ? (['sentry', 'consumer'] as const) : (['sentry'] as const)) {
    const lock = await lockFolder(dataDir, role);
    stack.defer(() => lock.release());
  }
  const chosen = await chooseNetwork(options, { stack, ending }, logger);
  const path = await openEventPath({ ...options, natsMayBeAway: !stores }, dataDir, stack, logger);
  const nats = stores ? await path.nats : null;
  // What starts later adds its own.
  const told: Told = {
    checks: [path.check, async () => nats?.problem() ?? null],
    metrics: { spool: path.spool, strays: faults.strays, parts: path.parts },
  };
  const { network } = chosen;
  const store = stores ? await startStore(options, chosen, nats ?? path.spool, dataDir, told, stack, logger) : null;
  const crawling = stack.use(new AsyncDisposableStack());
  const crawl = await startCrawl(options, chosen, path, dataDir, crawling, logger);
  told.checks.push(...crawl.checks);
  told.metrics.sentry = crawl.sentry;
  told.metrics.parts = [...(told.metrics.parts ?? []), ...crawl.sentry.parts];
  const health = stores ? null : await startHealth(options, told, stack, logger);
  const watched: Watched = { network: network.name, startedMs, crawl, store, forwarded: path.forwarded };
  const watching = watch(watched, screen);
  stack.defer(() => watching.unsubscribe());

  return {
    failed$: merge(crawl.sentry.failed$, path.failed$, store?.failed$ ?? NEVER, health?.failed$ ?? NEVER),
    async finish() {
      watching.unsubscribe();
      // Connections that do not end must not keep the events of the others from being handed over.
      await Promise.race([crawling.disposeAsync(), firstValueFrom(timer(CRAWL_STOP_MS))]);
      const left = await path.drain();
      // With something left there was little time, and it is better used to say so.
      if (left === null) await store?.located();
      const view = (await store?.summary()) ?? null;
      const summary = renderSummary(await takeSnapshot(watched), view, chosen.truth);
      return left === null ? summary : `${summary}\n${left}.`;
    },
  };
}

/** Where a sentry tells how it does, if anybody wants to know. */
async function startHealth(
  options: Options,
  { checks, metrics }: Told,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<HttpPart | null> {
  if (options.httpPort === undefined) return null;
  const app = healthAndMetrics(checks, metrics);
  const part = await startHttpPart(options, (request) => app.fetch(request), stack, logger);
  metrics.parts = [...(metrics.parts ?? []), part.kept];
  checks.push(part.check);
  logger.info({ url: `${part.url}/readyz` }, 'serving health');
  return part;
}
