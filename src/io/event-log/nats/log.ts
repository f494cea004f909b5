import {
  defer,
  finalize,
  firstValueFrom,
  map,
  NEVER,
  type Observable,
  ReplaySubject,
  race,
  retry,
  switchMap,
  takeUntil,
  throwError,
  timer,
} from 'rxjs';
import { type Delivery, type EventLog, EventLogUsageError, type LogEntry } from '../../../streams/ports/event-log.ts';
import { type PublishedStream, type PublishOptions, StreamChangedError } from '../../../streams/ports/spool.ts';
import type { Logger } from '../../logging/logger.ts';
import { checkEntries } from '../check-entries.ts';
import { oneSubscriberEach } from '../one-subscriber.ts';
import { askUnapplied } from './applied.ts';
import { aborted, natsLink } from './connection.ts';
import { natsDeliveries } from './deliveries.ts';
import { asEventLogError, EventLogConfigError, EventLogUnreachableError, isBusy, isNoResponders } from './errors.ts';
import { type NatsLease, natsLease } from './lease.ts';
import { publishAll } from './publish.ts';
import { natsTopology } from './topology.ts';
import { type NatsUnacked, natsUnacked } from './unacked.ts';

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
  readonly lease?: { readonly ttlMs: number; readonly id: string };
}

const DEFAULT_APPEND_TIMEOUT_MS = 5000;
/** A cluster elects a leader within seconds. */
const BUSY_RETRY_MS = 500;
const BUSY_ATTEMPTS = 40;
/** Questions about what has been applied without an answer, until that is told. */
const TOLD_SILENCES = 15;

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
  replicas = 1,
  pingIntervalMs,
  lease,
}: NatsEventLogOptions): Promise<NatsEventLog> {
  const link = await natsLink({ url, logger, waitOnFirstConnect, signal, pingIntervalMs });
  const { connection, servers } = link;
  const jetstream = connection.jetstream();
  const jsm = await connection.jetstreamManager({ checkAPI: false, timeout: appendTimeoutMs });
  const topology = await firstValueFrom(
    defer(() => natsTopology(jsm, { durables, ackWaitMs, replicas, servers, logger })).pipe(
      retry({
        delay: (error: unknown, attempt: number) => {
          const passes = waitOnFirstConnect ? !(error instanceof EventLogConfigError) : isBusy(error);
          if (!passes || (attempt > BUSY_ATTEMPTS && !waitOnFirstConnect)) return throwError(() => error);
          logger.warn({ err: error, attempt, retryMs: BUSY_RETRY_MS }, 'JetStream is not ready');
          return signal === undefined ? timer(BUSY_RETRY_MS) : race(timer(BUSY_RETRY_MS), aborted(signal));
        },
      }),
    ),
  ).catch(async (error: unknown) => {
    await link.close();
    throw error;
  });
  const exclusive = oneSubscriberEach();
  const unackedOf = new Map<string, NatsUnacked>();
  const leases = new Map<string, NatsLease>();
  /** Of durables that are read. */
  const problems = new Map<string, string | null>();
  const closed$ = new ReplaySubject<void>(1);
  let closing: Promise<void> | undefined;
  let lastPublication: Promise<unknown> = Promise.resolve();
  /** Durables whose consumers say what they have applied. */
  let saying: readonly string[] = [];
  /** How often in a row they have not done so. */
  const silentOf = new Map<string, number>();

  const sessionNow = () => `${[topology.incarnation, topology.leader].join(' ')} after ${link.losses()} losses`;

  async function published(entries: readonly LogEntry[], options: PublishOptions | null): Promise<number> {
    await link.connected(appendTimeoutMs);
    const insists = options?.isRepeated === true;
    try {
      return await publish();
    } catch (error) {
      if (!isNoResponders(error)) throw asEventLogError(error, servers);
      // The stream was removed just now; with the ids, what was published before is not doubled.
      return await publish().catch((again: unknown) => Promise.reject(asEventLogError(again, servers)));
    }

    async function publish(): Promise<number> {
      await topology.ensure();
      const session = options?.session ?? sessionNow();
      const check = () => {
        if (options === null || sessionNow() === session) return;
        throw new StreamChangedError(`NATS is ${sessionNow()} now, no longer ${session}`);
      };
      check();
      return publishAll(jetstream, entries, { timeoutMs: appendTimeoutMs, check, insists });
    }
  }

  /** One after the other, so that nothing overtakes. */
  function publishInTurn(entries: readonly LogEntry[], options: PublishOptions | null): Promise<number> {
    const after = () => published(entries, options);
    const publication = lastPublication.then(after, after);
    lastPublication = publication;
    return publication;
  }

  /** A consumer that was ended just now is no news. */
  function tellSilence(durable: string, isSilent: boolean): void {
    const count = isSilent ? (silentOf.get(durable) ?? 0) + 1 : 0;
    silentOf.set(durable, count);
    if (count !== TOLD_SILENCES) return;
    logger.warn(
      { durable },
      `nobody says what the durable ${durable} has applied: events stay in the spool until a consumer does`,
    );
  }

  function leaseOf(durable: string, { ttlMs, id }: { readonly ttlMs: number; readonly id: string }): NatsLease {
    const known = leases.get(durable) ?? natsLease({ link, durable, replicas, ttlMs, id, logger });
    leases.set(durable, known);
    return known;
  }

  function unacked(durable: string): NatsUnacked {
    const known = unackedOf.get(durable) ?? natsUnacked(link);
    unackedOf.set(durable, known);
    return known;
  }

  async function close(): Promise<void> {
    await Promise.allSettled([lastPublication]);
    await Promise.all([...leases.values()].map((held) => held.release()));
    await link.close();
  }

  function problem(): string | null {
    if (!link.isConnected()) return `not connected to NATS at ${servers}; trying again`;
    const reasons = [...[...leases.values()].map((held) => held.problem()), ...problems.values()];
    return reasons.find((reason) => reason !== null) ?? null;
  }

  return {
    get id() {
      return topology.id;
    },
    async append(entries) {
      if (closing !== undefined) throw new EventLogUsageError('the event log is closed');
      checkEntries(entries);
      await publishInTurn(entries, null);
    },
    publish: publishInTurn,
    async state() {
      await link.connected(appendTimeoutMs);
      // Of before the question: an answer over a connection that is lost meanwhile is of no session.
      const losses = link.losses();
      const state = await topology.ensure();
      const readers = await topology.learn();
      const { acknowledged, missed, others } = readers;
      saying = readers.saying;
      if (link.losses() !== losses) throw new EventLogUnreachableError(`connection to NATS at ${servers} lost`);
      // A server that was killed may keep for ever what it had been told was read (nats-server 2.9).
      const firstSequence = Math.min(Math.max(state.firstSequence, acknowledged + 1), missed + 1);
      return { ...state, firstSequence, readers: others, session: sessionNow() };
    },
    async unapplied(eventIds) {
      const unapplied = new Set<string>();
      for (const durable of saying) {
        const said = await askUnapplied(connection, durable, eventIds, appendTimeoutMs);
        tellSilence(durable, said === null);
        if (said === null) return null;
        for (const eventId of said) unapplied.add(eventId);
      }
      return unapplied;
    },
    deliveries(options) {
      const { durable } = options;
      const onProblem = (reason: string | null) => problems.set(durable, reason);
      const context = { link, topology, logger, unacked: unacked(durable), onProblem };
      const deliveries$ = natsDeliveries(context, options).pipe(finalize(() => onProblem(null)));
      const own$ = lease === undefined ? deliveries$ : defer(() => whileHeld(leaseOf(durable, lease), deliveries$));
      return exclusive(durable, own$).pipe(takeUntil(closed$));
    },
    problem,
    close() {
      closed$.next();
      closing ??= close();
      return closing;
    },
  };
}

/** Reads while the lease is ours. What was read in one term is not acknowledged in another: somebody else had it meanwhile. */
function whileHeld(lease: NatsLease, deliveries$: Observable<Delivery>): Observable<Delivery> {
  return lease.isHeld$.pipe(
    switchMap((isHeld) => (isHeld ? deliveries$ : NEVER)),
    map((delivery) => {
      const term = lease.term();
      const isLapsed = () => term === null || lease.term() !== term;
      return { ...delivery, isLapsed, ack: () => (isLapsed() ? undefined : delivery.ack()) };
    }),
  );
}
