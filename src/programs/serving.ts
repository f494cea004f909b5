import type { Hono } from 'hono';
import { apiKeysFrom } from '../io/http/api-keys.ts';
import { createApp } from '../io/http/app.ts';
import { healthAndMetrics, healthOnly, type Vitals } from '../io/http/health.ts';
import { pseudonymFrom } from '../io/http/pseudonym.ts';
import { startHttp } from '../io/http/server.ts';
import type { Logger } from '../io/logging/logger.ts';
import type { StoredView } from './consumer/storing.ts';
import { keepRunning } from './keep-running.ts';
import { type Part, partOf } from './part.ts';

/** The HTTP server of a program, which is started again when it fails. */
export interface Serving extends Part {
  readonly url: string;
}

/** Where a program serves. */
export interface HttpPlace {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

type Fetch = (request: Request) => Response | Promise<Response>;

export interface HealthServingOptions extends HttpPlace {
  readonly vitals: Vitals;
  readonly logger: Logger;
}

export interface ApiServingOptions extends HealthServingOptions {
  /** What there is to read; `null` while there is nothing, and then only health is served. */
  readonly stored: () => StoredView | null;
  /** File with the API keys. */
  readonly apiKeys: string;
  /** Where the key of the pseudonyms is kept. */
  readonly dataDir: string;
}

/**
 * Serves the API on what is stored.
 * @throws HttpListenError when the address cannot be had
 */
export async function startApi({ stored, apiKeys, dataDir, ...options }: ApiServingOptions): Promise<Serving> {
  const { vitals, logger } = options;
  const pseudonym = await pseudonymFrom(dataDir);
  const isApiKey = apiKeysFrom(apiKeys);
  const apps = new WeakMap<StoredView, Hono>();
  const down = healthOnly(vitals);

  function appNow(): Hono {
    const now = stored();
    if (now === null) return down;
    const app = apps.get(now) ?? createApp({ ...now, isApiKey, pseudonym, vitals, logger });
    apps.set(now, app);
    return app;
  }

  const serving = await serve(options, (request) => appNow().fetch(request));
  logger.info({ url: `${serving.url}/validators` }, 'serving');
  return serving;
}

/**
 * Serves health and metrics alone, for a program that stores nothing.
 * @throws HttpListenError when the address cannot be had
 */
export async function startHealth(options: HealthServingOptions): Promise<Serving> {
  const { vitals, logger } = options;
  const serving = await serve(options, healthAndMetrics(vitals).fetch);
  logger.info({ url: `${serving.url}/readyz` }, 'serving health');
  return serving;
}

async function serve(
  { host, port, logger }: Pick<HealthServingOptions, 'host' | 'port' | 'logger'>,
  fetch: Fetch,
): Promise<Serving> {
  /** Where it was before is where people look for it again. */
  let last = { port, url: '' };
  const start = async () => {
    const server = await startHttp({ host, port: last.port, fetch });
    last = { port: server.port, url: server.url };
    return { failed$: server.failed$, stop: () => server.close() };
  };
  const server = await keepRunning('the HTTP server', start, { logger });
  const { name, failed$, checks, metrics } = server;
  return { ...partOf(name, { failed$, checks, metrics, stop: () => server.stop() }), url: last.url };
}
