import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { METADATA_RECEIVED } from '../../../src/consensus/events.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { type EventLog, EventLogFullError } from '../../../src/streams/ports/event-log.ts';
import { type CrawledDevnet, crawlDevnet } from '../../support/e2e/crawled-devnet.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** A crawler that is stopped while its log takes nothing. */

const NODES = 4;
/** A second for what was observed, and the time that everything else takes. */
const STOP_MS = 5_000;

let folder: Awaited<ReturnType<typeof tempDir>>;
let crawled: CrawledDevnet;
const said: { msg: string; events?: number }[] = [];
/** Events of observations that the log has refused. */
const refused = new Set<string>();

/** Takes announcements of peers, and no observation. */
const full: EventLog = {
  id: 'full',
  append: async (entries) => {
    const observations = entries.filter(({ subject }) => subject === METADATA_RECEIVED);
    for (const { eventId } of observations) refused.add(eventId);
    if (observations.length > 0) throw new EventLogFullError('the log is full');
  },
  deliveries: () => {
    throw new Error('nobody reads it');
  },
  close: async () => {},
};

beforeAll(async () => {
  folder = await tempDir();
  const logger = createLogger({ level: 'warn', format: 'json', write: (line) => said.push(JSON.parse(line)) });
  crawled = await crawlDevnet({ nodes: NODES, seed: 4, slotMs: 100, dir: folder.path }, { logger, log: full });
});
afterAll(async () => {
  await crawled.stop();
  await folder.remove();
});

it('ends in time, and says how many events it gives up', async () => {
  await vi.waitFor(() => expect(refused.size).toBeGreaterThan(0), { timeout: 20_000 });
  const startMs = performance.now();
  await crawled.sentry.stop();
  expect(performance.now() - startMs).toBeLessThan(STOP_MS);
  const givenUp = said.filter(({ msg }) => msg.includes('is given up'));
  expect(givenUp).toHaveLength(1);
  // Of each node at most one visit is under way; the first batch is tried again and again, the others wait behind it.
  expect(givenUp[0]?.events).toBeGreaterThanOrEqual(refused.size);
  expect(givenUp[0]?.events).toBeLessThanOrEqual(NODES);
}, 60_000);
