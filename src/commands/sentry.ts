import type { Options } from './options.ts';
import { crawlAndStore } from './run.ts';

const DEFAULT_NATS_URL = 'nats://localhost:4222';

/** `sentry`: crawl and publish to NATS JetStream. */
export function sentry(options: Options): Promise<number> {
  return crawlAndStore({ ...options, natsUrl: options.natsUrl ?? DEFAULT_NATS_URL }, { stores: false });
}
