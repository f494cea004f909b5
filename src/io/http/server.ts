import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import {
  asyncScheduler,
  filter,
  firstValueFrom,
  from,
  fromEvent,
  map,
  merge,
  type Observable,
  race,
  type SchedulerLike,
  timer,
} from 'rxjs';

export interface HttpOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly scheduler?: SchedulerLike;
}

export interface HttpServer {
  readonly url: string;
  readonly port: number;
  /** Errors when the server has stopped to listen by itself; never completes. */
  readonly failed$: Observable<never>;
  /** Takes no more requests, lets those under way finish for a few seconds, then cuts them off. */
  close(): Promise<void>;
}

/** The server cannot listen; the message says what to do. */
export class HttpListenError extends Error {
  override readonly name = 'HttpListenError';
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** A client that is slower than these to send a request, or to take the answer, holds a connection for nothing. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 20_000;
const IDLE_SOCKET_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 5_000;
const TIMEOUT_CHECK_MS = 5_000;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 1_000;
const CLOSE_MS = 3_000;

/** @throws HttpListenError when the address cannot be had. */
export async function startHttp({ host, port, fetch, scheduler = asyncScheduler }: HttpOptions): Promise<HttpServer> {
  const server = createAdaptorServer({
    fetch,
    createServer,
    serverOptions: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
  }) as Server;
  server.timeout = IDLE_SOCKET_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, host, port);
  const { port: chosen } = server.address() as AddressInfo;
  let closing = false;
  return {
    failed$: merge(fromEvent(server, 'error'), fromEvent(server, 'close')).pipe(
      filter(() => !closing),
      map((reason): never => {
        throw reason instanceof Error ? reason : new Error(`no longer listening on ${host}:${chosen}`);
      }),
    ),
    url: `http://${host.includes(':') ? `[${host}]` : host}:${chosen}`,
    port: chosen,
    close: async () => {
      closing = true;
      if (!server.listening) {
        server.closeAllConnections();
        return;
      }
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      await firstValueFrom(race(from(closed), timer(CLOSE_MS, scheduler)));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new HttpListenError(`cannot serve HTTP on ${host}:${port}: ${remedy(code)}`, code);
  }
}

function remedy(code: string): string {
  if (code === 'EADDRINUSE') return 'the port is in use; stop the other program or choose another with --http-port';
  if (code === 'EACCES') return 'not allowed to use this port; choose one above 1023 with --http-port';
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return 'this machine has no such address; choose one it has with --http-host';
  }
  return `${code}; choose another address with --http-host and --http-port`;
}
