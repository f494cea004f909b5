import {
  asyncScheduler,
  exhaustMap,
  filter,
  firstValueFrom,
  from,
  NEVER,
  type Observable,
  ReplaySubject,
  race,
  switchMap,
  take,
  tap,
  timer,
} from 'rxjs';
import type { Options } from '../../commands/options.ts';
import { count } from '../../commands/texts.ts';
import { consumerId } from '../../io/event-log/consumer-id.ts';
import { type EmbeddedEventLog, embeddedEventLog } from '../../io/event-log/embedded/log.ts';
import { streamMemory } from '../../io/event-log/embedded/stream-memory.ts';
import { LEASE_MS } from '../../io/event-log/nats/lease.ts';
import { type NatsEventLog, natsEventLog } from '../../io/event-log/nats/log.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { openSentryDatabase } from '../../io/storage/sentry/sentry-database.ts';
import type { SqliteDatabase } from '../../io/storage/sqlite/sqlite.ts';
import { publishing } from '../../streams/publishing.ts';
import { attemptsAt, type Check } from '../health.ts';
import { type KeptPart, keepRunning } from '../keep-running.ts';
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
  /** What is started again when it fails. */
  readonly parts: readonly KeptPart[];
  /** Errors when publishing has failed for good; never completes. */
  readonly failed$: Observable<never>;
  /**
   * Waits a moment until everything on disk has been handed over, and tells what has not been, in words for people;
   * `null` when nothing is left. The log says so, too.
   */
  drain(): Promise<string | null>;
}

type PathOptions = Pick<Options, 'natsUrl' | 'natsReplicas' | 'consumerName' | 'spoolMaxBytes' | 'spoolMaxAgeMs'> & {
  /** Whether to go on without a NATS server and let events wait on disk; else its absence is an error. */
  readonly natsMayBeAway: boolean;
};

/** The durables of the spool in front of NATS: what has been published, and what of that has been read there. */
const PUBLISHED = 'forwarder';
const CONSUMED = 'consumed';
const PUBLISH = { batchSize: 1_000, batchMs: 50, pollMs: 2_000, settleMs: 5_000 } as const;
/** While NATS is away, every so many attempts are told; one takes up to ten seconds. */
const TOLD_ATTEMPTS = 30;
/** How long to wait at the end for what is on disk to be handed over; the rest is handed over after the next start. */
const DRAIN_MS = 4_000;
/** NATS may be back in a moment, when it was restarted together with this program. */
const AWAY_MS = 2_000;
/** A server that does not answer any more gets no time to say goodbye. */
const CLOSE_MS = 2_000;
const DRAIN_CHECK_MS = 50;

/** Opens the event path; it is drained and closed with the stack. */
export async function openEventPath(
  { natsUrl, natsReplicas, consumerName, spoolMaxBytes, spoolMaxAgeMs, natsMayBeAway }: PathOptions,
  dataDir: string,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<EventPath> {
  const database = await openSentryDatabase(dataDir, (text) => logger.info(text));
  stack.defer(() => database.close());
  const spool = await embeddedEventLog(database, {
    logger,
    maxBytes: spoolMaxBytes,
    ...(natsUrl === undefined ? { durables: [consumerName] } : { durables: [PUBLISHED, CONSUMED], keeper: CONSUMED }),
  });
  stack.defer(() => spool.close());
  const attempts = { publish: attemptsAt('publishing to NATS'), ask: attemptsAt('asking NATS') };
  const limits = { maxBytes: spoolMaxBytes, maxAgeMs: spoolMaxAgeMs };
  let connected: NatsEventLog | null = null;
  const cause: Check = async () =>
    (await attempts.publish.check()) ??
    (await attempts.ask.check()) ??
    (natsUrl !== undefined && connected === null ? 'no NATS server can be reached' : null);
  const { gate, watching } = spoolGate({ spool, ...limits, cause, logger });
  stack.defer(() => watching.unsubscribe());
  if (natsUrl === undefined) {
    const drain = once(() => drained(spool, async () => null, AFTER_START.consumer, logger));
    const idle = { nats: null, forwarded: () => null, check: async () => null, parts: [], failed$: NEVER };
    return { spool, gate, database, drain, ...idle };
  }

  const leaving = new AbortController();
  const nats = natsEventLog({
    url: natsUrl,
    logger,
    durables: [consumerName],
    replicas: natsReplicas,
    lease: { ttlMs: LEASE_MS, id: await consumerId(dataDir) },
    waitOnFirstConnect: natsMayBeAway,
    signal: leaving.signal,
  });
  if (!natsMayBeAway) await nats;
  let forwarded = 0;
  async function startPublishing() {
    const before = forwarded;
    const failed$ = new ReplaySubject<never>(1);
    const published$ = from(nats).pipe(
      tap((stream) => {
        connected = stream;
      }),
      switchMap((stream) =>
        publishing({
          spool,
          stream,
          published: PUBLISHED,
          consumed: CONSUMED,
          memory: streamMemory(database),
          ...PUBLISH,
          scheduler: asyncScheduler,
          onFailure(doing, { error, attempt, delayMs }) {
            attempts[doing].failed(error);
            const told = { err: error, attempt, delayMs };
            if (attempt % TOLD_ATTEMPTS === 1) logger.warn(told, 'NATS does not take events; they wait on disk');
            else logger.debug(told, 'NATS still does not take events');
          },
          onSuccess: (doing) => attempts[doing].succeeded(),
          onChanged: (change) =>
            logger.warn(
              change,
              'NATS was started again, has another stream or has lost events: what is not known to be read is published again',
            ),
        }),
      ),
    );
    const running = published$.subscribe({
      next: ({ published }) => {
        forwarded = before + published;
      },
      error: (error: unknown) => failed$.error(error),
    });
    return { failed$, stop: async () => running.unsubscribe() };
  }
  const publisher = await keepRunning('publishing', startPublishing, { logger });
  /** Why there is little use in waiting for NATS to take what is left. */
  const away = async () => publisher.problem() ?? (connected === null ? 'not connected' : connected.problem());
  const drain = once(() => drained(spool, away, AFTER_START.nats, logger));
  stack.defer(async () => {
    await drain();
    await publisher.stop();
    leaving.abort();
    const closing = Promise.allSettled([nats.then((log) => log.close())]);
    await Promise.race([closing, firstValueFrom(timer(CLOSE_MS))]);
  });
  return {
    spool,
    gate,
    database,
    nats,
    drain,
    forwarded: () => forwarded,
    check: async () => publisher.problem() ?? (await cause()),
    parts: [publisher],
    failed$: publisher.failed$,
  };
}

/** What happens to the events that are left on disk at the end. */
const AFTER_START = {
  nats: 'wait in the spool for NATS; they are published after the next start',
  consumer: 'wait in the event log for the consumer; they are stored after the next start',
} as const;

/** Emits once every reader of the log has acknowledged everything. */
export function emptied(spool: EmbeddedEventLog): Observable<unknown> {
  return timer(0, DRAIN_CHECK_MS).pipe(
    exhaustMap(() => spool.depth()),
    filter(({ entries }) => entries === 0),
    take(1),
  );
}

async function drained(
  spool: EmbeddedEventLog,
  away: Check,
  afterStart: string,
  logger: Logger,
): Promise<string | null> {
  const waitMs = (await away()) === null ? DRAIN_MS : AWAY_MS;
  await firstValueFrom(race(emptied(spool), timer(waitMs)));
  const { entries } = await spool.depth();
  if (entries === 0) return null;
  const left = `${count(entries)} events ${afterStart}`;
  logger.warn({ events: entries }, left);
  return left;
}

/** Does it once, however often it is asked for. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}
