import type { JetStreamClient } from 'nats';
import { from, lastValueFrom, mergeMap, ReplaySubject, takeUntil } from 'rxjs';
import { type EventLog, EventLogUsageError, type LogEntry } from '../../streams/ports/event-log.ts';
import type { Logger } from '../logger.ts';
import { checkEntries } from './check-entries.ts';
import { natsLink } from './nats-connection.ts';
import { natsDeliveries } from './nats-deliveries.ts';
import { asEventLogError, isNoResponders } from './nats-errors.ts';
import { natsTopology } from './nats-topology.ts';
import { type NatsUnacked, natsUnacked } from './nats-unacked.ts';
import { oneSubscriberEach } from './one-subscriber.ts';

export interface NatsEventLog extends EventLog {
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
  /** How long `append` waits for the connection, and for each acknowledgement. */
  readonly appendTimeoutMs?: number;
  /** After this long without an acknowledgement a message is delivered again; of durables that are made here. */
  readonly ackWaitMs?: number;
}

/** Publications waiting for their acknowledgement: enough to hide the round trip, and a bound on what an outage drops. */
const PUBLISH_IN_FLIGHT = 256;
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
  appendTimeoutMs = DEFAULT_APPEND_TIMEOUT_MS,
  ackWaitMs,
}: NatsEventLogOptions): Promise<NatsEventLog> {
  const link = await natsLink({ url, logger, waitOnFirstConnect, signal });
  const { connection, servers } = link;
  const jetstream = connection.jetstream();
  const jsm = await connection.jetstreamManager({ checkAPI: false });
  const topology = await natsTopology(jsm, { durables, ackWaitMs, servers, logger }).catch(async (error: unknown) => {
    await link.close();
    throw error;
  });
  const exclusive = oneSubscriberEach();
  const unackedOf = new Map<string, NatsUnacked>();
  const closed$ = new ReplaySubject<void>(1);
  let closing: Promise<void> | undefined;
  let lastAppend: Promise<void> = Promise.resolve();

  async function append(entries: readonly LogEntry[]): Promise<void> {
    await link.connected(appendTimeoutMs);
    try {
      await publish();
    } catch (error) {
      if (!isNoResponders(error)) throw asEventLogError(error, servers);
      // The stream was removed just now; with the ids, what was published before is not doubled.
      await publish().catch((again: unknown) => Promise.reject(asEventLogError(again, servers)));
    }

    async function publish(): Promise<void> {
      await topology.ensure();
      await publishAll(jetstream, entries, appendTimeoutMs);
    }
  }

  function unacked(durable: string): NatsUnacked {
    const known = unackedOf.get(durable) ?? natsUnacked();
    unackedOf.set(durable, known);
    return known;
  }

  async function close(): Promise<void> {
    await Promise.allSettled([lastAppend]);
    await link.close();
  }

  return {
    get id() {
      return topology.id;
    },
    async append(entries) {
      if (closing !== undefined) throw new EventLogUsageError('the event log is closed');
      checkEntries(entries);
      const after = () => append(entries);
      lastAppend = lastAppend.then(after, after);
      await lastAppend;
    },
    deliveries(options) {
      const context = { link, topology, logger, unacked: unacked(options.durable) };
      return exclusive(options.durable, natsDeliveries(context, options)).pipe(takeUntil(closed$));
    },
    problem: () => (link.isConnected() ? null : `not connected to NATS at ${servers}; trying again`),
    close() {
      closed$.next();
      closing ??= close();
      return closing;
    },
  };
}

/** Publishes in order, many at a time; rejects at the first one that is not acknowledged. */
async function publishAll(jetstream: JetStreamClient, entries: readonly LogEntry[], timeoutMs: number): Promise<void> {
  const published$ = from(entries).pipe(
    mergeMap(
      ({ subject, payload, eventId }) => jetstream.publish(subject, payload, { msgID: eventId, timeout: timeoutMs }),
      PUBLISH_IN_FLIGHT,
    ),
  );
  await lastValueFrom(published$, { defaultValue: null });
}
