import type { Context, Hono } from 'hono';
import type { Attribution } from '../../streams/ports/geo-locator.ts';
import { DIMENSIONS, type Dimension, type NetworkFigures } from '../storage/tracker/network-figures.ts';
import type { TimeRange } from '../storage/tracker/view-reader.ts';
import type { IsApiKey } from './api-keys.ts';
import { audienceOf } from './audience.ts';
import { parseTimeRange } from './time-range.ts';

/** Sums over the view: of the network, by place and client, by day, and how far the clients' windows hold. */

export interface FiguresOptions {
  readonly figures: NetworkFigures;
  readonly isApiKey: IsApiKey;
  /** Whom to name where places are shown. */
  readonly attributions: readonly Attribution[];
}

/** Fewer nodes than these are not shown to the public: who knows of one of them would learn of the others. */
const FEWEST_PUBLIC_NODES = 3;

/** Adds the routes. All take `from` and `to`; without them they tell of the day up to the newest observation. */
export function addFigures(app: Hono, { figures, isApiKey, attributions }: FiguresOptions): void {
  const answer = (tell: (context: Context, range: TimeRange, fewestNodes: number) => Promise<object>, ever = false) => {
    return async (context: Context) => {
      const audience = await audienceOf(context, isApiKey);
      if (audience === null) return context.json({ error: 'unknown API key' }, 401);
      const query = new URL(context.req.url).searchParams;
      const parsed = parseTimeRange(query);
      if (!parsed.ok) return context.json({ error: parsed.reason }, 400);
      const isGiven = ever || query.has('from') || query.has('to');
      const range = isGiven ? parsed.range : await figures.newestDay();
      context.header('Cache-Control', 'no-store');
      context.header('Vary', 'X-API-Key');
      return context.json(await tell(context, range, audience === 'public' ? FEWEST_PUBLIC_NODES : 1));
    };
  };

  app.get('/api/v1/aggregates', async (context) => {
    const by = dimensionOf(context);
    if (by === null) return context.json({ error: `'by' must be one of ${DIMENSIONS.join(', ')}` }, 400);
    return answer(async (_, range, fewestNodes) => ({
      by,
      ...timesOf(range),
      cells: await figures.cells(by, range, fewestNodes),
      attributions: by === 'client' ? [] : attributions,
    }))(context);
  });

  app.get(
    '/api/v1/network',
    answer(async (_, range) => {
      const totals = await figures.totals(range);
      const { activeValidators } = figures;
      return {
        ...timesOf(range),
        active_validators: activeValidators,
        share_of_active: activeValidators === null ? null : totals.validators / activeValidators,
        ...totals,
        validators_high: bounded(totals.validators_high, activeValidators),
        methods: await figures.methods(range),
      };
    }),
  );

  app.get(
    '/api/v1/history',
    answer(async (_, range) => ({ days: await figures.history(range) }), true),
  );

  app.get(
    '/api/v1/calibration',
    answer(async (_, range, fewestNodes) => {
      const windows = await figures.calibration(range);
      return { ...timesOf(range), windows: windows.filter(({ nodes }) => nodes >= fewestNodes).map(windowOf) };
    }),
  );
}

function dimensionOf(context: Context): Dimension | null {
  return DIMENSIONS.find((dimension) => dimension === context.req.query('by')) ?? null;
}

/** There are no more validators than active ones, so nothing is without a bound. */
function bounded(high: number | null, activeValidators: number | null): number | null {
  if (activeValidators === null) return high;
  return Math.min(high ?? activeValidators, activeValidators);
}

function timesOf({ fromMs, toMs }: TimeRange): object {
  return { from: fromMs, to: toMs };
}

function windowOf(window: Awaited<ReturnType<NetworkFigures['calibration']>>[number]): object {
  return {
    client: window.client,
    nodes: window.nodes,
    left_out: window.leftOut,
    assumed_slots: window.assumedSlots,
    calibrated_slots: window.calibratedSlots,
    low: window.low,
    high: window.high,
    source: window.source,
  };
}
