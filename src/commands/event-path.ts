import {
  asyncScheduler,
  exhaustMap,
  filter,
  firstValueFrom,
  from,
  type Observable,
  race,
  switchMap,
  take,
  timer,
} from 'rxjs';
import { type EmbeddedEventLog, embeddedEventLog } from '../io/event-log/embedded.ts';
import { type NatsEventLog, natsEventLog } from '../io/event-log/nats.ts';
import type { Logger } from '../io/logger.ts';
import { openSentryDatabase } from '../io/sentry-database.ts';
import type { SqliteDatabase } from '../io/sqlite.ts';
import { forward } from '../streams/forwarder.ts';
import { attemptsAt, type Check } from './health.ts';
import type { Options } from './options.ts';

/** The way that events take: the log on disk, always, and behind it NATS when there is one. */
export interface EventPath {
  readonly spool: EmbeddedEventLog;
  readonly database: SqliteDatabase;
  /** NATS, once connected; `null` when the spool is the log that the consumer reads. */
  readonly nats: Promise<NatsEventLog> | null;
  /** Events that NATS has taken since the start; `null` without NATS. */
  forwarded(): number | null;
  /** Whether events get to where they are read. */
  readonly check: Check;
}

type PathOptions = Pick<Options, 'natsUrl' | 'consumerName'> & {
  /** Whether to go on without a NATS server and let events wait on disk; else its absence is an error. */
  readonly natsMayBeAway: boolean;
};

/** The durable under which the spool in front of NATS remembers what has been published. */
const FORWARDER = 'forwarder';
const FORWARD = { batchSize: 500, batchMs: 50 } as const;
/** How long to wait at the end for what is on disk to be handed over; the rest is handed over after the next start. */
const DRAIN_MS = 2_000;
const DRAIN_CHECK_MS = 50;

/** Opens the event path; it is drained for a moment and closed with the stack. */
export async function openEventPath(
  { natsUrl, consumerName, natsMayBeAway }: PathOptions,
  dataDir: string,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<EventPath> {
  const database = await openSentryDatabase(dataDir);
  stack.defer(() => database.close());
  const durables = [natsUrl === undefined ? consumerName : FORWARDER];
  const spool = await embeddedEventLog(database, { logger, durables });
  stack.defer(() => spool.close());
  if (natsUrl === undefined) {
    return { spool, database, nats: null, forwarded: () => null, check: async () => null };
  }

  const leaving = new AbortController();
  const nats = natsEventLog({
    url: natsUrl,
    logger,
    durables: [consumerName],
    waitOnFirstConnect: natsMayBeAway,
    signal: leaving.signal,
  });
  if (!natsMayBeAway) await nats;
  const publishing = attemptsAt('publishing to NATS');
  let forwarded = 0;
  const forwarding = from(nats)
    .pipe(
      switchMap((to) =>
        forward({
          from: spool,
          to,
          durable: FORWARDER,
          ...FORWARD,
          scheduler: asyncScheduler,
          onFailure({ error, delayMs }) {
            publishing.failed(error);
            logger.warn({ err: error, delayMs }, 'NATS does not take events; they wait on disk');
          },
        }),
      ),
    )
    .subscribe({
      next: (progress) => {
        publishing.succeeded();
        forwarded = progress.forwarded;
      },
      error: (error: unknown) => {
        if (leaving.signal.aborted) return;
        publishing.failed(error);
        logger.error({ err: error }, 'events are no longer published; they wait on disk until the next start');
      },
    });
  stack.defer(async () => {
    await drained(spool);
    forwarding.unsubscribe();
    leaving.abort();
    const [connected] = await Promise.allSettled([nats]);
    if (connected.status === 'fulfilled') await connected.value.close();
  });
  return { spool, database, nats, forwarded: () => forwarded, check: publishing.check };
}

/** Emits once every reader of the log has acknowledged everything. */
export function emptied(spool: EmbeddedEventLog): Observable<unknown> {
  return timer(0, DRAIN_CHECK_MS).pipe(
    exhaustMap(() => spool.depth()),
    filter(({ entries }) => entries === 0),
    take(1),
  );
}

/** Resolves then too, or after a moment. */
export async function drained(spool: EmbeddedEventLog): Promise<void> {
  await firstValueFrom(race(emptied(spool), timer(DRAIN_MS)));
}
