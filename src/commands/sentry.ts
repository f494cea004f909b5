import { DEFAULT_NATS_URL } from './option-table.ts';
import type { Options } from './options.ts';
import { crawlAndStore } from './run.ts';

/** `sentry`: crawl and publish to NATS JetStream. */
export function sentry(options: Options): Promise<number> {
  return crawlAndStore({ ...options, natsUrl: options.natsUrl ?? DEFAULT_NATS_URL }, { stores: false });
}
