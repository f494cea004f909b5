import { asyncScheduler, filter, firstValueFrom, from, interval, race, startWith, switchMap, timer } from 'rxjs';
import { embeddedEventLog } from '../io/event-log/embedded.ts';
import { natsEventLog } from '../io/event-log/nats.ts';
import type { Logger } from '../io/logger.ts';
import { type SentryProgram, startSentry } from '../io/sentry.ts';
import { openSentryDatabase } from '../io/sentry-database.ts';
import { forward } from '../streams/forwarder.ts';
import type { EventLog } from '../streams/ports/event-log.ts';
import type { ChosenNetwork } from './choose-network.ts';
import type { Options } from './options.ts';

/** The durable under which the spool in front of NATS remembers what has been published. */
const FORWARDER = 'forwarder';
const FORWARD = { batchSize: 500, batchMs: 50 } as const;
/** How long to wait at the end for what is on disk to be handed over; the rest is handed over after the next start. */
const DRAIN_MS = 2_500;
const DRAIN_CHECK_MS = 50;

export interface EventPath {
  /** Where the sentry writes: on disk first, always. */
  readonly spool: EventLog & { depth(): Promise<{ readonly entries: number }> };
  /** Where the consumer reads: the same log, or NATS behind it. */
  readonly delivered: EventLog;
  readonly database: Awaited<ReturnType<typeof openSentryDatabase>>;
  /** Events that NATS has taken since the start; `null` without NATS. */
  forwarded(): number | null;
}

/**
 * Opens the way that events take from the sentry: the log on disk, and behind it NATS when there is a URL. Everything is
 * closed with the stack, after a moment for draining.
 */
export async function openEventPath(
  { natsUrl, consumerName }: Pick<Options, 'natsUrl' | 'consumerName'>,
  dataDir: string,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<EventPath> {
  const database = await openSentryDatabase(dataDir);
  stack.defer(() => database.close());
  const spool = await embeddedEventLog(database, {
    logger,
    durables: [natsUrl === undefined ? consumerName : FORWARDER],
  });
  stack.defer(() => spool.close());
  if (natsUrl === undefined) {
    return { spool, delivered: spool, database, forwarded: () => null };
  }

  const nats = await natsEventLog({ url: natsUrl, logger, durables: [consumerName] });
  stack.defer(() => nats.close());
  let forwarded = 0;
  const forwarding = forward({
    from: spool,
    to: nats,
    durable: FORWARDER,
    ...FORWARD,
    scheduler: asyncScheduler,
    onFailure: ({ error, delayMs }) =>
      logger.warn({ err: error, delayMs }, 'NATS does not take events; they wait on disk'),
  }).subscribe((progress) => {
    forwarded = progress.forwarded;
  });
  stack.defer(() => forwarding.unsubscribe());
  stack.defer(() => drained(spool));
  return { spool, delivered: nats, database, forwarded: () => forwarded };
}

/** Resolves when every reader of the log has acknowledged everything, or after a moment. */
export async function drained(spool: EventPath['spool']): Promise<void> {
  const empty$ = interval(DRAIN_CHECK_MS).pipe(
    startWith(0),
    switchMap(() => from(spool.depth())),
    filter(({ entries }) => entries === 0),
  );
  await firstValueFrom(race(empty$, timer(DRAIN_MS)));
}

const LISTEN_PORT = 9_000;

/** Starts the crawler; it stops with the stack. */
export async function startCrawl(
  options: Options,
  { network }: ChosenNetwork,
  { database, spool }: EventPath,
  dataDir: string,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<SentryProgram> {
  const sentry = await startSentry({
    network,
    dataDir,
    database,
    log: spool,
    crawlerId: options.crawlerId,
    crawlerLocation: options.crawlerLocation,
    listenIp: options.listenIp ?? (network.isPublic ? '0.0.0.0' : '127.0.0.1'),
    port: options.port ?? (network.isPublic ? LISTEN_PORT : 0),
    agent: AGENT,
    logger,
  });
  stack.defer(() => sentry.stop());
  logger.info({ peerId: sentry.peerId, addresses: sentry.addresses, network: network.name }, 'crawling');
  return sentry;
}

/** Peers see who we are and where to complain. */
const AGENT = 'valtrack/0.1.0';
