import { connect, DebugEvents, Events, type NatsConnection } from 'nats';
import {
  BehaviorSubject,
  defer,
  filter,
  firstValueFrom,
  from,
  fromEvent,
  map,
  type Observable,
  of,
  race,
  retry,
  throwError,
  timeout,
  timer,
} from 'rxjs';
import type { Logger } from '../../logging/logger.ts';
import { parseNatsUrl } from './address.ts';
import { asEventLogError, EventLogUnreachableError } from './errors.ts';

/** A connection that comes back by itself, says so, and never sends into the void while it is away. */
export interface NatsLink {
  readonly connection: NatsConnection;
  /** For messages: hosts and ports, no credentials. */
  readonly servers: string;
  /** Whether the connection is up, now and at each change; errors when it is given up for good. */
  readonly connected$: Observable<boolean>;
  isConnected(): boolean;
  /** How often the connection was lost. */
  losses(): number;
  /** Waits for the connection, at most `timeoutMs`; rejects with an EventLogUnreachableError. */
  connected(timeoutMs: number): Promise<void>;
  /** Sends what is buffered if the server is there, and ends. */
  close(): Promise<void>;
}

export interface NatsLinkOptions {
  readonly url: string;
  readonly logger: Logger;
  /** Keep trying when no server is there at first, instead of rejecting. */
  readonly waitOnFirstConnect: boolean;
  /** Ends the waiting for the first connection. */
  readonly signal?: AbortSignal | undefined;
  readonly pingIntervalMs?: number | undefined;
}

const CONNECT_TIMEOUT_MS = 5000;
/** Two pings without an answer and the connection counts as lost, after at most 15 s; half-open ones too. */
const PING_INTERVAL_MS = 5_000;
const MAX_PINGS_OUT = 2;
const FLUSH_TIMEOUT_MS = 2000;
const RECONNECT_MIN_MS = 250;
const RECONNECT_MAX_MS = 4_000;
/** It may be away for hours: told once, then every minute. */
const TOLD_ATTEMPTS = 15;

export async function natsLink({
  url,
  logger,
  waitOnFirstConnect,
  signal,
  pingIntervalMs = PING_INTERVAL_MS,
}: NatsLinkOptions): Promise<NatsLink> {
  const { servers: hosts, tls, ...login } = parseNatsUrl(url);
  const servers = hosts.join(', ');
  let attempts = 0;
  let losses = 0;

  const first$ = defer(() =>
    connect({
      ...login,
      ...(tls ? { tls: {} } : {}),
      servers: [...hosts],
      name: 'valtrack',
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: pingIntervalMs,
      maxPingOut: MAX_PINGS_OUT,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      noAsyncTraces: true,
      reconnectDelayHandler: () => reconnectDelayMs(attempts),
    }),
  ).pipe(
    retry({
      delay: (error: unknown, attempt: number) => {
        const unreachable = new EventLogUnreachableError(
          `no NATS server can be reached at ${servers} (${error instanceof Error ? error.message : String(error)}); ` +
            'start one, or give its address with --nats-url',
        );
        if (!waitOnFirstConnect) return throwError(() => unreachable);
        const retryMs = reconnectDelayMs(attempt);
        if (attempt % TOLD_ATTEMPTS === 1) logger.warn({ attempt, retryMs }, unreachable.message);
        else logger.debug({ attempt, retryMs }, unreachable.message);
        return signal === undefined ? timer(retryMs) : race(timer(retryMs), aborted(signal));
      },
    }),
  );
  const connection = await firstValueFrom(first$);
  logger.info({ servers }, 'connected to NATS');

  const state$ = new BehaviorSubject(true);
  const watching = from(connection.status()).subscribe(({ type, data }) => {
    if (type === Events.Disconnect) {
      losses += 1;
      logger.warn({ server: data }, 'connection to NATS lost');
      state$.next(false);
    } else if (type === Events.Reconnect) {
      logger.info({ server: data, attempts }, 'connected to NATS again');
      attempts = 0;
      state$.next(true);
    } else if (type === DebugEvents.Reconnecting) {
      attempts += 1;
      logger.debug({ server: data, attempts }, 'trying to reach NATS');
    } else if (type === Events.Error) {
      logger.warn({ error: data }, 'NATS reports an error');
    }
  });

  let closing = false;
  async function watchEnd(): Promise<void> {
    const error = await connection.closed();
    watching.unsubscribe();
    if (closing) state$.complete();
    else state$.error(asEventLogError(error ?? new Error('the NATS client gave the connection up'), servers));
  }
  const ended = watchEnd();

  /** What was sent has reached the server, or there is no hope that it will. */
  async function flushed(): Promise<void> {
    const away$ = state$.pipe(filter((up) => !up));
    try {
      await firstValueFrom(
        race(
          defer(() => connection.flush()),
          away$,
          timer(FLUSH_TIMEOUT_MS),
        ),
      );
    } catch (error) {
      logger.warn({ err: error }, 'connection to NATS ended before everything was sent');
    }
  }

  return {
    connection,
    servers,
    connected$: state$.asObservable(),
    losses: () => losses,
    isConnected: () => !connection.isClosed() && state$.value,
    async connected(timeoutMs) {
      const unreachable = () => new EventLogUnreachableError(`not connected to NATS at ${servers}`);
      await firstValueFrom(
        state$.pipe(filter(Boolean), timeout({ first: timeoutMs, with: () => throwError(unreachable) })),
      );
    },
    async close() {
      closing = true;
      if (!connection.isClosed()) await flushed();
      await connection.close();
      await ended;
    },
  };
}

function reconnectDelayMs(attempts: number): number {
  return Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** Math.max(0, attempts - 1));
}

/** Errors with the reason of the abort, at once if it has happened. */
export function aborted(signal: AbortSignal): Observable<never> {
  const aborts$: Observable<unknown> = signal.aborted ? of(null) : fromEvent(signal, 'abort');
  return aborts$.pipe(
    map((): never => {
      throw signal.reason;
    }),
  );
}
