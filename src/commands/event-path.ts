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
import { streamMemory } from '../io/event-log/stream-memory.ts';
import type { Logger } from '../io/logger.ts';
import { openSentryDatabase } from '../io/sentry-database.ts';
import type { SqliteDatabase } from '../io/sqlite.ts';
import { publishing } from '../streams/publishing.ts';
import { attemptsAt, type Check } from './health.ts';
import type { Options } from './options.ts';
import { type SpoolGate, spoolGate } from './spool-gate.ts';

/** The way that events take: the log on disk, always, and behind it NATS when there is one. */
export interface EventPath {
  readonly spool: EmbeddedEventLog;
  /** The way into the spool for the crawl. */
  readonly gate: SpoolGate;
  readonly database: SqliteDatabase;
  /** NATS, once connected; `null` when the spool is the log that the consumer reads. */
  readonly nats: Promise<NatsEventLog> | null;
  /** Events that NATS has taken since the start; `null` without NATS. */
  forwarded(): number | null;
  /** Whether events get to where they are read. */
  readonly check: Check;
}

type PathOptions = Pick<Options, 'natsUrl' | 'natsReplicas' | 'consumerName' | 'spoolMaxBytes' | 'spoolMaxAgeMs'> & {
  /** Whether to go on without a NATS server and let events wait on disk; else its absence is an error. */
  readonly natsMayBeAway: boolean;
};

/** The durables of the spool in front of NATS: what has been published, and what of that has been read there. */
const PUBLISHED = 'forwarder';
const CONSUMED = 'consumed';
const PUBLISH = { batchSize: 1_000, batchMs: 50, pollMs: 2_000 } as const;
/** While NATS is away, every so many attempts are told; one takes ten seconds. */
const TOLD_ATTEMPTS = 30;
/** How long to wait at the end for what is on disk to be handed over; the rest is handed over after the next start. */
const DRAIN_MS = 2_000;
const DRAIN_CHECK_MS = 50;

/** Opens the event path; it is drained for a moment and closed with the stack. */
export async function openEventPath(
  { natsUrl, natsReplicas, consumerName, spoolMaxBytes, spoolMaxAgeMs, natsMayBeAway }: PathOptions,
  dataDir: string,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<EventPath> {
  const database = await openSentryDatabase(dataDir);
  stack.defer(() => database.close());
  const spool = await embeddedEventLog(database, {
    logger,
    maxBytes: spoolMaxBytes,
    ...(natsUrl === undefined ? { durables: [consumerName] } : { durables: [PUBLISHED, CONSUMED], keeper: CONSUMED }),
  });
  stack.defer(() => spool.close());
  const attempts = attemptsAt('publishing to NATS');
  const limits = { maxBytes: spoolMaxBytes, maxAgeMs: spoolMaxAgeMs };
  const { gate, watching } = spoolGate({ spool, ...limits, cause: attempts.check, logger });
  stack.defer(() => watching.unsubscribe());
  if (natsUrl === undefined) {
    return { spool, gate, database, nats: null, forwarded: () => null, check: async () => null };
  }

  const leaving = new AbortController();
  const nats = natsEventLog({
    url: natsUrl,
    logger,
    durables: [consumerName],
    replicas: natsReplicas,
    waitOnFirstConnect: natsMayBeAway,
    signal: leaving.signal,
  });
  if (!natsMayBeAway) await nats;
  let forwarded = 0;
  const forwarding = from(nats)
    .pipe(
      switchMap((stream) =>
        publishing({
          spool,
          stream,
          published: PUBLISHED,
          consumed: CONSUMED,
          memory: streamMemory(database),
          ...PUBLISH,
          scheduler: asyncScheduler,
          onFailure({ error, attempt, delayMs }) {
            attempts.failed(error);
            const told = { err: error, attempt, delayMs };
            if (attempt % TOLD_ATTEMPTS === 1) logger.warn(told, 'NATS does not take events; they wait on disk');
            else logger.debug(told, 'NATS still does not take events');
          },
          onSuccess: attempts.succeeded,
          onChanged: (change) =>
            logger.warn(change, 'NATS has another stream now: what was not known to be read is published again'),
        }),
      ),
    )
    .subscribe({
      next: ({ published }) => {
        forwarded = published;
      },
      error: (error: unknown) => {
        if (leaving.signal.aborted) return;
        attempts.failed(error);
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
  return { spool, gate, database, nats, forwarded: () => forwarded, check: attempts.check };
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
