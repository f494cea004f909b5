import { LRUCache } from 'lru-cache';
import { asyncScheduler, type SchedulerLike } from 'rxjs';
import { isPublicUnicast } from '../../consensus/address-policy.ts';
import { type GeoLocator, type Location, LocatorUnavailableError, NOWHERE } from '../../streams/ports/geo-locator.ts';
import type { Logger } from '../logging/logger.ts';
import { reasonOf } from './geo-error.ts';
import { createPace } from './pace.ts';
import { readLocation } from './read-location.ts';

export interface IpinfoOptions {
  /** Sent in a header, so that no address that is logged or cached on the way contains it. */
  readonly token: string;
  readonly logger: Logger;
  readonly baseUrl?: string;
  readonly requestsPerSecond?: number;
  readonly timeoutMs?: number;
  readonly maxCached?: number;
  readonly scheduler?: SchedulerLike;
}

const DAY_MS = 86_400_000;
const MAX_ANSWER_BYTES = 65_536;

/** How long to leave the service alone after an answer that says nothing about when to come back. */
const OUTAGE_MS = 60_000;
const REFUSED_TOKEN_MS = 3_600_000;
const MIN_RETRY_AFTER_MS = 1_000;

/**
 * The API of IPinfo, `GET /<ip>/json`. Requests keep a steady pace; after a limit (429), an outage or a refused token
 * none is sent for a while, and look-ups fail at once. Answers, misses too, are remembered for a day and hold for thirty.
 */
export function ipinfoLocator({
  token,
  logger,
  baseUrl = 'https://ipinfo.io',
  requestsPerSecond = 10,
  timeoutMs = 10_000,
  maxCached = 10_000,
  scheduler = asyncScheduler,
}: IpinfoOptions): GeoLocator {
  const pace = createPace(requestsPerSecond, scheduler);
  const cache = new LRUCache<string, Location>({ max: maxCached, ttl: DAY_MS });
  let pausedUntilMs = Number.NEGATIVE_INFINITY;

  const refuseWhilePaused = () => {
    const leftMs = pausedUntilMs - scheduler.now();
    if (leftMs > 0) throw new LocatorUnavailableError('IPinfo is left alone for a while', leftMs);
  };
  const pause = (reason: string, pauseMs: number): LocatorUnavailableError => {
    const isNews = pausedUntilMs <= scheduler.now();
    pausedUntilMs = Math.max(pausedUntilMs, scheduler.now() + pauseMs);
    if (isNews) logger.warn({ reason, pauseMs }, 'IPinfo cannot be asked for a while');
    return new LocatorUnavailableError(reason, pauseMs);
  };

  const ask = async (ip: string, signal: AbortSignal): Promise<Location> => {
    let status: number;
    let body: string;
    let retryAfter: string | null;
    try {
      const response = await fetch(new URL(`/${encodeURIComponent(ip)}/json`, baseUrl), {
        headers: { accept: 'application/json', authorization: `Bearer ${token}` },
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      status = response.status;
      retryAfter = response.headers.get('retry-after');
      body = await readBounded(response);
    } catch (error) {
      signal.throwIfAborted();
      throw pause(`IPinfo does not answer: ${causeOf(error)}`, OUTAGE_MS);
    }
    if (status === 404) return NOWHERE;
    if (status === 401 || status === 403) throw pause(`IPinfo refuses the token (${status})`, REFUSED_TOKEN_MS);
    if (status === 429) throw pause('IPinfo has had enough requests (429)', retryAfterMs(retryAfter, scheduler.now()));
    if (status !== 200) throw pause(`IPinfo answers ${status}`, retryAfterMs(retryAfter, scheduler.now()));
    try {
      return readLocation(JSON.parse(body));
    } catch {
      throw pause('IPinfo answers something that is not JSON', OUTAGE_MS);
    }
  };

  return {
    name: 'ipinfo',
    parts: ['place', 'network'],
    attributions: [{ text: 'IP address data powered by IPinfo', url: 'https://ipinfo.io' }],
    maxAgeMs: 30 * DAY_MS,
    version: async () => '1',
    async locate(ip, signal) {
      if (!isPublicUnicast(ip)) return NOWHERE;
      const cached = cache.get(ip);
      if (cached !== undefined) return cached;
      refuseWhilePaused();
      await pace.turn(signal);
      refuseWhilePaused();
      const location = await ask(ip, signal);
      cache.set(ip, location);
      return location;
    },
    close: async () => cache.clear(),
  };
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3), at least a second and at most a day. */
export function retryAfterMs(header: string | null, nowMs: number): number {
  const text = header?.trim() ?? '';
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(waitMs) ? OUTAGE_MS : Math.min(DAY_MS, Math.max(MIN_RETRY_AFTER_MS, waitMs));
}

async function readBounded(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error('an answer that is too long');
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** `fetch failed` has the reason inside. */
function causeOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? reasonOf(error.cause) : reasonOf(error);
}
