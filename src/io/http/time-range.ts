import type { TimeRange } from '../storage/tracker/view-reader.ts';

const LATEST_MS = Number.MAX_SAFE_INTEGER;

export type ParsedRange =
  | { readonly ok: true; readonly range: TimeRange }
  | { readonly ok: false; readonly reason: string };

/** Reads the query parameters `from` and `to`: Unix times in milliseconds, both included, each optional. */
export function parseTimeRange(query: URLSearchParams): ParsedRange {
  const limits: Record<'from' | 'to', number> = { from: 0, to: LATEST_MS };
  for (const name of ['from', 'to'] as const) {
    const values = query.getAll(name);
    if (values.length === 0) continue;
    const value = values.length === 1 && /^\d{1,16}$/.test(values[0] as string) ? Number(values[0]) : Number.NaN;
    if (!Number.isSafeInteger(value)) {
      return { ok: false, reason: `'${name}' must be one Unix time in milliseconds, such as 1716910737176` };
    }
    limits[name] = value;
  }
  if (limits.from > limits.to) return { ok: false, reason: "'from' must not be later than 'to'" };
  return { ok: true, range: { fromMs: limits.from, toMs: limits.to } };
}
