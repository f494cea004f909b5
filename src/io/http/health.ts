import { type Context, Hono } from 'hono';
import { createMetrics, type MetricSources } from '../metrics/metrics.ts';

/** Resolves to `null`, or to the reason why the program is not ready. */
export type ReadinessCheck = () => Promise<string | null>;

/** `/healthz`: the process runs; `/readyz`: and does its work. */
export function addHealth(app: Hono, readiness: readonly ReadinessCheck[]): void {
  app.get('/healthz', (context) => context.json({ status: 'ok' }));
  app.get('/readyz', async (context) => {
    const reasons = await reasonsOf(readiness);
    return context.json({ ready: reasons.length === 0, reasons }, reasons.length === 0 ? 200 : 503);
  });
}

/** `/metrics`: everything that is counted, for Prometheus. */
export function addMetrics(app: Hono, sources: MetricSources): void {
  app.get('/metrics', async (context) => {
    // Sources come and go, so what there is to tell is looked up at each scrape.
    const { contentType, render } = createMetrics(sources);
    return context.body(await render(), 200, { 'Content-Type': contentType });
  });
}

/** For a program that stores nothing: how it does, and what it counts. */
export function healthAndMetrics(readiness: readonly ReadinessCheck[], sources: MetricSources): Hono {
  const app = new Hono();
  addHealth(app, readiness);
  addMetrics(app, sources);
  app.notFound((context) =>
    context.json({ error: `there is nothing at ${context.req.path}; a sentry stores nothing` }, 404),
  );
  return app;
}

/** What answers as long as there is nothing to serve: health, and the reasons to everybody else. */
export function healthOnly(readiness: readonly ReadinessCheck[]): Hono {
  const app = new Hono();
  addHealth(app, readiness);
  app.notFound(async (context: Context) => {
    const reasons = await reasonsOf(readiness);
    return context.json({ error: `not ready: ${reasons.join('; ') || 'starting'}` }, 503);
  });
  return app;
}

async function reasonsOf(readiness: readonly ReadinessCheck[]): Promise<string[]> {
  return (await Promise.all(readiness.map((check) => check()))).filter((reason) => reason !== null);
}
