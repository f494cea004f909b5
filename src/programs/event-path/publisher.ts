import { asyncScheduler, from, type Observable, ReplaySubject, switchMap } from 'rxjs';
import { streamMemory } from '../../io/event-log/embedded/stream-memory.ts';
import type { NatsEventLog } from '../../io/event-log/nats/log.ts';
import type { Logger } from '../../io/logging/logger.ts';
import type { SqliteDatabase } from '../../io/storage/sqlite/sqlite.ts';
import type { Part as Restartable } from '../../streams/flow/supervise.ts';
import type { Spool } from '../../streams/ports/spool.ts';
import { type PublishingOptions, type PublishingProgress, publishing } from '../../streams/publishing.ts';
import { keepRunning } from '../keep-running.ts';
import { type Part, partOf } from '../part.ts';
import type { HandOver } from './attempts.ts';

/** Carries what is on disk to NATS. */
export interface PublisherPart extends Part {
  /** Events that NATS has taken since the start of the program. */
  forwarded(): number;
  /** Why nothing is published at the moment, for people; `null` when it is, or when there was nothing to publish. */
  problem(): string | null;
}

export interface PublisherOptions {
  readonly spool: Spool;
  readonly database: SqliteDatabase;
  readonly stream: Promise<NatsEventLog>;
  /** Where what is done with NATS is noted. */
  readonly handOver: HandOver;
  /** Why NATS cannot be reached; a reason like any other. */
  readonly away: () => string | null;
  readonly logger: Logger;
}

/** The durables of the spool in front of NATS: what has been published, and what of that has been read there. */
export const PUBLISHED = 'forwarder';
export const CONSUMED = 'consumed';
const PUBLISH = { batchSize: 1_000, batchMs: 50, pollMs: 2_000, settleMs: 5_000 } as const;
/** While NATS is away, every so many attempts are told; one takes up to ten seconds. */
const TOLD_ATTEMPTS = 30;

/** Publishes as soon as NATS is connected, and again after each failure. */
export async function startPublisher(options: PublisherOptions): Promise<PublisherPart> {
  const { spool, database, stream, handOver, away, logger } = options;
  let forwarded = 0;
  async function start(): Promise<Restartable> {
    const before = forwarded;
    const failed$ = new ReplaySubject<never>(1);
    const running = publishedFrom(stream, {
      spool,
      published: PUBLISHED,
      consumed: CONSUMED,
      memory: streamMemory(database),
      ...PUBLISH,
      scheduler: asyncScheduler,
      ...telling(handOver, logger),
    }).subscribe({
      next: ({ published }) => {
        forwarded = before + published;
      },
      error: (error: unknown) => failed$.error(error),
    });
    return { failed$, stop: async () => running.unsubscribe() };
  }
  const publisher = await keepRunning('publishing', start, { logger });
  const reason = async () => publisher.problem() ?? handOver.problem() ?? away();
  return {
    ...partOf(publisher.name, {
      failed$: publisher.failed$,
      checks: [{ name: 'publishing', reason }],
      metrics: publisher.metrics,
      stop: () => publisher.stop(),
    }),
    forwarded: () => forwarded,
    problem: () => publisher.problem(),
  };
}

function publishedFrom(
  stream: Promise<NatsEventLog>,
  options: Omit<PublishingOptions, 'stream'>,
): Observable<PublishingProgress> {
  return from(stream).pipe(switchMap((connected) => publishing({ ...options, stream: connected })));
}

/** What is said of an outage: the first attempt, and then one in many. */
export function telling(
  handOver: HandOver,
  logger: Pick<Logger, 'warn' | 'debug'>,
): Pick<PublishingOptions, 'onFailure' | 'onSuccess' | 'onChanged'> {
  return {
    onFailure(doing, { error, attempt, delayMs }) {
      handOver[doing].failed(error);
      const told = { err: error, attempt, delayMs };
      if (attempt % TOLD_ATTEMPTS === 1) logger.warn(told, 'NATS does not take events; they wait on disk');
      else logger.debug(told, 'NATS still does not take events');
    },
    onSuccess: (doing) => handOver[doing].succeeded(),
    onChanged: (change) =>
      logger.warn(
        change,
        'NATS was started again, has another stream or has lost events: what is not known to be read is published again',
      ),
  };
}
