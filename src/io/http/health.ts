import { type Context, Hono } from 'hono';
import { type Metric, renderMetrics } from '../metrics/metrics.ts';

/** Something that the program must do to be ready. */
export interface Check {
  /** What is looked at, in the field's own terms. */
  readonly name: string;
  /** Resolves to `null`, or to the reason, in words for people, why it is not done. */
  readonly reason: () => Promise<string | null>;
}

/** How the program does and what it counts; asked for at each request, since parts come and go. */
export interface Vitals {
  checks(): readonly Check[];
  metrics(): readonly Metric[];
}

/** `/healthz`: the process runs; `/readyz`: and does its work. */
export function addHealth(app: Hono, { checks }: Pick<Vitals, 'checks'>): void {
  app.get('/healthz', (context) => context.json({ status: 'ok' }));
  app.get('/readyz', async (context) => {
    const reasons = await reasonsOf(checks());
    return context.json({ ready: reasons.length === 0, reasons }, reasons.length === 0 ? 200 : 503);
  });
}

/** `/metrics`: everything that is counted, for Prometheus. */
export function addMetrics(app: Hono, { metrics }: Pick<Vitals, 'metrics'>): void {
  app.get('/metrics', async (context) => {
    const { contentType, text } = await renderMetrics(metrics());
    return context.body(text, 200, { 'Content-Type': contentType });
  });
}

/** For a program that stores nothing: how it does, and what it counts. */
export function healthAndMetrics(vitals: Vitals): Hono {
  const app = new Hono();
  addHealth(app, vitals);
  addMetrics(app, vitals);
  app.notFound((context) =>
    context.json({ error: `there is nothing at ${context.req.path}; a sentry stores nothing` }, 404),
  );
  return app;
}

/** What answers as long as there is nothing to serve: health, and the reasons to everybody else. */
export function healthOnly(vitals: Pick<Vitals, 'checks'>): Hono {
  const app = new Hono();
  addHealth(app, vitals);
  app.notFound(async (context: Context) => {
    const reasons = await reasonsOf(vitals.checks());
    return context.json({ error: `not ready: ${reasons.join('; ') || 'starting'}` }, 503);
  });
  return app;
}

async function reasonsOf(checks: readonly Check[]): Promise<string[]> {
  return (await Promise.all(checks.map(({ reason }) => reason()))).filter((reason) => reason !== null);
}
