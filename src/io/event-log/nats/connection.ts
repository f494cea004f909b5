import { connect, type NatsConnection } from 'nats';
import { defer, filter, firstValueFrom, type Observable, race, throwError, timeout, timer } from 'rxjs';
import type { Logger } from '../../logging/logger.ts';
import { type NatsAddress, parseNatsUrl } from './address.ts';
import { watchConnection } from './connection-watch.ts';
import { EventLogUnreachableError } from './errors.ts';
import { type Reconnects, reconnects } from './reconnects.ts';
import { untilReachable } from './until-reachable.ts';

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

export async function natsLink({
  url,
  logger,
  waitOnFirstConnect,
  signal,
  pingIntervalMs = PING_INTERVAL_MS,
}: NatsLinkOptions): Promise<NatsLink> {
  const address = parseNatsUrl(url);
  const servers = address.servers.join(', ');
  const retries = reconnects();
  const connection = await firstValueFrom(
    defer(() => connectTo(address, { pingIntervalMs, retries })).pipe(
      untilReachable({ servers, waits: waitOnFirstConnect, signal, logger }),
    ),
  );
  logger.info({ servers }, 'connected to NATS');
  const watch = watchConnection(connection, { servers, retries, logger });

  return {
    connection,
    servers,
    connected$: watch.up$,
    losses: watch.losses,
    isConnected: () => !connection.isClosed() && watch.isUp(),
    async connected(timeoutMs) {
      const unreachable = () => new EventLogUnreachableError(`not connected to NATS at ${servers}`);
      await firstValueFrom(
        watch.up$.pipe(filter(Boolean), timeout({ first: timeoutMs, with: () => throwError(unreachable) })),
      );
    },
    async close() {
      watch.expectEnd();
      if (!connection.isClosed()) await flushed(connection, watch.up$, logger);
      await connection.close();
      await watch.ended;
    },
  };
}

function connectTo(
  { servers, tls, ...login }: NatsAddress,
  { pingIntervalMs, retries }: { readonly pingIntervalMs: number; readonly retries: Reconnects },
): Promise<NatsConnection> {
  return connect({
    ...login,
    ...(tls ? { tls: {} } : {}),
    servers: [...servers],
    name: 'valtrack',
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: pingIntervalMs,
    maxPingOut: MAX_PINGS_OUT,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    reconnectDelayHandler: retries.delayMs,
  });
}

/** What was sent has reached the server, or there is no hope that it will. */
async function flushed(connection: NatsConnection, up$: Observable<boolean>, logger: Logger): Promise<void> {
  const away$ = up$.pipe(filter((up) => !up));
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
