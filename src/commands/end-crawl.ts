import { firstValueFrom, timer } from 'rxjs';
import type { EventPath } from '../programs/event-path/event-path.ts';
import type { WatchedSentry } from '../programs/sentry/watched-sentry.ts';

const CRAWL_STOP_MS = 3_000;

/**
 * Ends the crawl and hands over what is on disk. Connections that do not end must not keep the events of the others from that.
 * Resolves to what is left, in words for people, or `null`.
 */
export async function endCrawl(
  sentry: Pick<WatchedSentry, 'stop'>,
  events: Pick<EventPath, 'drain'>,
): Promise<string | null> {
  await Promise.race([sentry.stop(), firstValueFrom(timer(CRAWL_STOP_MS))]);
  return events.drain();
}
