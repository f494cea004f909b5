import type { Logger } from '../../io/logging/logger.ts';
import type { EventLog } from '../../streams/ports/event-log.ts';
import { once, type Part, partOf } from '../part.ts';
import { program } from '../program.ts';
import { handOver } from './attempts.ts';
import { AFTER_START, drainOf } from './drain.ts';
import { CONSUMED, PUBLISHED, startPublisher } from './publisher.ts';
import { type SpoolPart, startSpool } from './spool.ts';

/** The way that events take: the log on disk, always, and behind it NATS when there is one. */
export interface EventPath extends Part, Pick<SpoolPart, 'database' | 'spool' | 'log' | 'isOpen$'> {
  /** Where the consumer reads: NATS, or the log on disk. Not settled before NATS is connected. */
  readonly read: Promise<EventLog>;
  /** Events that NATS has taken since the start; `null` without NATS. */
  forwarded(): number | null;
  /** Waits a moment until everything on disk has been handed over; what is left, for people, or `null`. */
  drain(): Promise<string | null>;
}

export interface EventPathOptions {
  readonly dataDir: string;
  /** `null` where the consumer reads the log on disk. */
  readonly natsUrl: string | null;
  readonly natsReplicas: number;
  /** The durable of the consumer. */
  readonly consumerName: string;
  readonly spoolMaxBytes: number;
  readonly spoolMaxAgeMs: number;
  /** Whether to go on without a NATS server and let events wait on disk; else its absence is an error. */
  readonly natsMayBeAway: boolean;
  /** Whether the events are read in this program. */
  readonly isRead: boolean;
  readonly logger: Logger;
}

/** Opens the event path. It is drained when it stops, unless it has been before. */
export function startEventPath(options: EventPathOptions): Promise<EventPath> {
  const { natsUrl } = options;
  return natsUrl === null ? toDisk(options) : toNats(options, natsUrl);
}

async function toDisk(options: EventPathOptions): Promise<EventPath> {
  const { dataDir, spoolMaxBytes: maxBytes, spoolMaxAgeMs: maxAgeMs, consumerName, logger } = options;
  const spool = await startSpool({ dataDir, maxBytes, maxAgeMs, logger, durables: [consumerName], cause: () => null });
  const drain = drainOf({ spool: spool.spool, away: () => null, afterStart: AFTER_START.consumer, logger });
  return { ...spool, read: Promise.resolve(spool.spool), forwarded: () => null, drain };
}

/** In this order, so that NATS goes last and what is on disk can still be handed over. */
async function toNats(options: EventPathOptions, url: string): Promise<EventPath> {
  const { dataDir, natsReplicas: replicas, consumerName: durable, natsMayBeAway: mayBeAway, isRead, logger } = options;
  const limits = { dataDir, maxBytes: options.spoolMaxBytes, maxAgeMs: options.spoolMaxAgeMs, logger };
  const notes = handOver();
  // Who has no NATS does not wait for its client to be loaded.
  const { startNats } = await import('./nats.ts');
  await using stack = new AsyncDisposableStack();
  const started = await program()
    .with('nats', () => startNats({ url, replicas, durable, dataDir, mayBeAway, isRead, logger }))
    .with('spool', ({ nats }) =>
      startSpool({
        ...limits,
        durables: [PUBLISHED, CONSUMED],
        keeper: CONSUMED,
        cause: () => notes.problem() ?? nats.unreached(),
      }),
    )
    .with('publisher', ({ nats, spool: { spool, database } }) =>
      startPublisher({
        spool,
        database,
        stream: nats.connected,
        handOver: notes,
        away: () => nats.unreached(),
        logger,
      }),
    )
    .start(stack);
  const { nats, spool, publisher } = started.parts;
  const drain = drainOf({
    spool: spool.spool,
    away: () => publisher.problem() ?? nats.problem(),
    afterStart: AFTER_START.nats,
    logger,
  });
  stack.defer(async () => {
    await drain();
  });
  const opened = stack.move();
  return {
    ...partOf('the event path', {
      failed$: started.failed$,
      checks: started.vitals.checks(),
      metrics: started.vitals.metrics(),
    }),
    stop: once(() => opened.disposeAsync()),
    database: spool.database,
    spool: spool.spool,
    log: spool.log,
    isOpen$: spool.isOpen$,
    read: nats.connected,
    forwarded: () => publisher.forwarded(),
    drain,
  };
}
