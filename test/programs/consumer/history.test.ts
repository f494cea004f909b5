import { afterEach, beforeEach, expect, it } from 'vitest';
import { METADATA_RECEIVED } from '../../../src/consensus/events.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { openTracker } from '../../../src/io/storage/tracker/database.ts';
import { networkFigures } from '../../../src/io/storage/tracker/network-figures.ts';
import { startConsumer } from '../../../src/programs/consumer/start-consumer.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { tempDir } from '../../support/temp-dir.ts';

const NETWORK = { genesisTimeMs: Date.UTC(2026, 0, 1), slotMs: 12_000, slotsPerEpoch: 32, activeValidators: 1_000_000 };
const HOUR_MS = 3_600_000;
const logger = createLogger({ level: 'silent', format: 'json', write: () => {} });

/** An observation of a Lighthouse node on a day of March, whose custody count pins its stake. */
function looked(peer: string, day: number, hour: number, custodyGroupCount: number) {
  const timestamp = Date.UTC(2026, 2, day) + hour * HOUR_MS;
  const eventId = `march:${peer}:${day}:${hour}`;
  const wire = {
    enr: 'enr:',
    id: peer,
    multiaddr: '/ip4/127.0.0.1/tcp/9000',
    epoch: Math.floor((timestamp - NETWORK.genesisTimeMs) / (32 * 12_000)),
    metadata: { seq_number: 1, attnets: 'AwAAAAAAAAA=', syncnets: 'AA==' },
    subscribed_subnets: [0, 1, 7],
    client_version: 'Lighthouse/v8.0.1',
    timestamp,
    custody_group_count: custodyGroupCount,
    event_id: eventId,
  };
  return { subject: METADATA_RECEIVED, eventId, payload: new TextEncoder().encode(JSON.stringify(wire)) };
}

let folder: Awaited<ReturnType<typeof tempDir>>;
beforeEach(async () => {
  folder = await tempDir();
});
afterEach(() => folder.remove());

/** The history after these events, each in a batch of its own: day, nodes, validators. */
async function historyOf(entries: readonly ReturnType<typeof looked>[], batchSize = 1): Promise<unknown[][]> {
  const log = memoryLog();
  const consumer = await startConsumer({
    ...{ log, dataDir: folder.path, durable: 'test', logger, network: NETWORK, batchSize, batchMs: 5 },
  });
  await log.append(entries);
  await consumer.reached(({ deliveries }) => deliveries === entries.length);
  await consumer.close();
  const tracker = await openTracker(folder.path);
  const ever = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
  const days = await networkFigures(tracker.reader, NETWORK).history(ever);
  await tracker.close();
  return days.map(({ day, nodes, validators }) => [day, nodes, validators]);
}

it('has a line for each day with observations, the last word of each day, and none for a day without', async () => {
  const history = await historyOf([
    looked('a', 1, 2, 10),
    looked('a', 1, 23, 20),
    looked('b', 1, 23, 50),
    looked('a', 3, 1, 30),
    looked('b', 4, 0, 50),
  ]);
  expect(history).toEqual([
    ['2026-03-01', 2, 70],
    ['2026-03-03', 1, 30],
    ['2026-03-04', 1, 50],
  ]);
});

it('is the same when several days come in one batch', async () => {
  const entries = [looked('a', 1, 2, 10), looked('a', 1, 23, 20), looked('a', 2, 1, 30), looked('a', 5, 1, 40)];
  expect(await historyOf(entries, 100)).toEqual([
    ['2026-03-01', 1, 20],
    ['2026-03-02', 1, 30],
    ['2026-03-05', 1, 40],
  ]);
});

it('leaves a day alone that has ended, however late an observation of it comes', async () => {
  const entries = [looked('a', 1, 2, 10), looked('a', 2, 5, 30), looked('a', 1, 23, 20), looked('a', 2, 4, 25)];
  expect(await historyOf(entries)).toEqual([
    ['2026-03-01', 1, 10],
    ['2026-03-02', 1, 30],
  ]);
});

it('takes a late observation into its day while nothing newer is known of the node', async () => {
  expect(await historyOf([looked('a', 1, 2, 10), looked('b', 2, 1, 50), looked('a', 1, 3, 20)])).toEqual([
    ['2026-03-01', 1, 20],
    ['2026-03-02', 1, 50],
  ]);
});

it('stays as it is when all is delivered again', async () => {
  const entries = [looked('a', 1, 2, 10), looked('a', 2, 5, 30), looked('a', 4, 5, 31)];
  const once = await historyOf(entries);
  expect(await historyOf(entries.toReversed())).toEqual(once);
});

it.each([1, 100])('has a day of which all came late, in batches of %d', async (batchSize) => {
  const entries = [looked('a', 3, 5, 30), looked('a', 1, 2, 10), looked('a', 1, 9, 12)];
  expect(await historyOf(entries, batchSize)).toEqual([
    // With what was known of the node when the first of them came.
    ['2026-03-01', 1, 30],
    ['2026-03-03', 1, 30],
  ]);
});
