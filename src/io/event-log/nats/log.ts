import { defer, firstValueFrom, type Observable, ReplaySubject, takeUntil } from 'rxjs';
import { type EventLog, EventLogUsageError } from '../../../streams/ports/event-log.ts';
import type { PublishedStream } from '../../../streams/ports/spool.ts';
import type { Logger } from '../../logging/logger.ts';
import { checkEntries } from '../check-entries.ts';
import { type NatsLink, natsLink } from './connection.ts';
import { natsPublishedStream } from './published-stream.ts';
import { type LeaseOptions, natsReadings } from './readings.ts';
import { natsTopology } from './topology.ts';
import { untilReady } from './until-ready.ts';

export interface NatsEventLog extends EventLog, PublishedStream {
  /** Why nothing comes or goes at the moment, for people; `null` when connected. */
  problem(): string | null;
}

export interface NatsEventLogOptions {
  /** `nats://host:4222`, with `user:password@` or `token@` before the host, several with commas between them. */
  readonly url: string;
  readonly logger: Logger;
  /** The readers that messages wait for; those that are missing are made before anything is published. */
  readonly durables: readonly string[];
  /** Keep trying when no server is there at first, saying so; else reject. */
  readonly waitOnFirstConnect?: boolean;
  /** Ends that waiting. */
  readonly signal?: AbortSignal;
  /** How long to wait for the connection, for each acknowledgement, and for each answer about stream and durables. */
  readonly appendTimeoutMs?: number;
  /** After this long without an acknowledgement a message is delivered again; of durables that are made here. */
  readonly ackWaitMs?: number;
  /** On how many servers of a cluster the stream is stored when it is made here. */
  readonly replicas?: number;
  /** A connection that gives no sign of life for three of these is given up for another. */
  readonly pingIntervalMs?: number;
  /**
   * Whether a durable is read by one consumer at a time, the others standing by; how long one that is gone is waited for.
   * With the `id` of one that is gone it is not waited for: two that run at a time must not have the same.
   */
  readonly lease?: LeaseOptions;
}

const DEFAULT_APPEND_TIMEOUT_MS = 5000;

/**
 * The event log in NATS JetStream: stream EVENTS with interest retention. Either program's stream and durables do.
 *
 * @throws EventLogUnreachableError when no server answers; EventLogConfigError when address, stream or a durable cannot
 * be used. Both say what to do.
 */
export async function natsEventLog({
  url,
  logger,
  durables,
  waitOnFirstConnect = false,
  signal,
  appendTimeoutMs: timeoutMs = DEFAULT_APPEND_TIMEOUT_MS,
  ackWaitMs,
  replicas = 1,
  pingIntervalMs,
  lease,
}: NatsEventLogOptions): Promise<NatsEventLog> {
  const link = await natsLink({ url, logger, waitOnFirstConnect, signal, pingIntervalMs });
  const { connection, servers } = link;
  const jetstream = connection.jetstream();
  const jsm = await connection.jetstreamManager({ checkAPI: false, timeout: timeoutMs });
  const topology = await firstOrClose(
    link,
    defer(() => natsTopology(jsm, { durables, ackWaitMs, replicas, servers, logger })).pipe(
      untilReady({ waits: waitOnFirstConnect, signal, logger }),
    ),
  );
  const published = natsPublishedStream({ link, topology, jetstream, logger, timeoutMs });
  const readings = natsReadings({ link, topology, logger, replicas, lease });
  const closed$ = new ReplaySubject<void>(1);
  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    await published.done();
    await readings.release();
    await link.close();
  }

  return {
    get id() {
      return topology.id;
    },
    async append(entries) {
      if (closing !== undefined) throw new EventLogUsageError('the event log is closed');
      checkEntries(entries);
      await published.publish(entries, null);
    },
    publish: published.publish,
    state: published.state,
    unapplied: published.unapplied,
    deliveries: (options) => readings.deliveries(options).pipe(takeUntil(closed$)),
    problem() {
      if (!link.isConnected()) return `not connected to NATS at ${servers}; trying again`;
      return readings.problem();
    },
    close() {
      closed$.next();
      closing ??= close();
      return closing;
    },
  };
}

/** What comes first; without it nobody needs the link any more. */
async function firstOrClose<T>(link: NatsLink, made$: Observable<T>): Promise<T> {
  try {
    return await firstValueFrom(made$);
  } catch (error) {
    await link.close();
    throw error;
  }
}
