import { Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import type { Logger } from '../logging/logger.ts';
import type { NetworkFigures } from '../storage/tracker/network-figures.ts';
import type { ViewReader } from '../storage/tracker/view-reader.ts';
import type { IsApiKey } from './api-keys.ts';
import { audienceOf } from './audience.ts';
import { addFigures } from './figures.ts';
import { addGeolocation, type GeolocationStatus } from './geolocation.ts';
import { addHealth, addMetrics, type Vitals } from './health.ts';
import { OPENAPI } from './openapi.ts';
import type { Pseudonym } from './pseudonym.ts';
import { parseTimeRange } from './time-range.ts';
import { jsonArray, keyedPages, publicPages } from './validators.ts';

export interface AppOptions {
  readonly view: ViewReader;
  readonly figures: NetworkFigures;
  readonly isApiKey: IsApiKey;
  readonly pseudonym: Pseudonym;
  readonly geolocation: GeolocationStatus;
  readonly vitals: Vitals;
  readonly logger: Logger;
}

/** The HTTP API: routes and what all answers have in common. More routes can be added to the result. */
export function createApp(options: AppOptions): Hono {
  const { view, figures, isApiKey, pseudonym, geolocation, vitals, logger } = options;
  const app = new Hono();
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        baseUri: ["'none'"],
        objectSrc: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
      xFrameOptions: 'DENY',
    }),
  );

  app.get('/validators', async (context) => {
    const audience = await audienceOf(context, isApiKey);
    if (audience === null) return context.json({ error: 'unknown API key' }, 401);
    const parsed = parseTimeRange(new URL(context.req.url).searchParams);
    if (!parsed.ok) return context.json({ error: parsed.reason }, 400);
    const pages = audience === 'keyed' ? keyedPages(view, parsed.range) : publicPages(view, parsed.range, pseudonym);
    return context.body(await jsonArray(pages), 200, {
      'Content-Type': 'application/json; charset=UTF-8',
      'Cache-Control': 'no-store',
      Vary: 'X-API-Key',
    });
  });
  addFigures(app, { figures, isApiKey, attributions: geolocation.attributions });
  addGeolocation(app, geolocation);
  app.get('/openapi.json', (context) => context.json(OPENAPI));
  addHealth(app, vitals);
  addMetrics(app, vitals);

  app.notFound((context) => {
    const isKnown = app.routes.some(({ method, path }) => method === 'GET' && path === context.req.path);
    if (!isKnown) return context.json({ error: `there is nothing at ${context.req.path}` }, 404);
    return context.json({ error: `${context.req.method} is not allowed here` }, 405, { Allow: 'GET, HEAD' });
  });
  app.onError((error, context) => {
    logger.error({ err: error, path: context.req.path }, 'a request failed');
    return context.json({ error: 'the request failed; the log says why' }, 500);
  });
  return app;
}
