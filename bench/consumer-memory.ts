import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { firstValueFrom, NEVER, Subject, timer } from 'rxjs';
import { METADATA_RECEIVED } from '../src/consensus/events.ts';
import { createLogger } from '../src/io/logging/logger.ts';
import { startConsumer } from '../src/programs/consumer/start-consumer.ts';
import type { Delivery } from '../src/streams/ports/event-log.ts';

/**
 * What a consumer holds after so many events of the same 50 peers, with retention on and a Parquet file every two seconds: the heap
 * after a collection, what lies outside of it, and all that the system has given the process. A leak shows in the heap.
 * `node bench/consumer-memory.ts [rounds of 4,000 events]`
 */

const ROUNDS = Number(process.argv[2] ?? 14);
const BATCHES_A_ROUND = 80;
const BATCH = 50;
const ROTATE_MS = 2_000;
const NETWORK = { genesisTimeMs: 1_606_824_023_000, slotMs: 12_000, slotsPerEpoch: 32, activeValidators: 1_000_000 };
const KEEP = { addressesMs: 60_000, observationsMs: 20_000, eventsMs: 60_000 };

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function deliveryOf(index: number): Delivery {
  const nowMs = Date.now();
  const eventId = `bench:${index}`;
  const event = {
    enr: 'enr:',
    id: `16Uiu2HAm${index % 50}`,
    multiaddr: '/ip4/127.0.0.1/tcp/9000',
    epoch: 400_000,
    metadata: { seq_number: 1, attnets: 'AwAAAAAAAAA=', syncnets: 'AA==' },
    subscribed_subnets: [0, 1, (index * 7) % 64],
    client_version: 'Lighthouse/v8.0.1',
    crawler_id: 'bench',
    crawler_location: 'here',
    timestamp: nowMs,
    event_id: eventId,
    slot: index,
    observed_from: nowMs - 1_000,
    observed_to: nowMs,
  };
  const payload = new TextEncoder().encode(JSON.stringify(event));
  return { position: index + 1, subject: METADATA_RECEIVED, eventId, payload, ack: () => undefined };
}

const dataDir = await mkdtemp(join(tmpdir(), 'valtrack-bench-'));
const deliveries = new Subject<Delivery>();
const consumer = await startConsumer({
  log: { id: 'bench', append: () => firstValueFrom(NEVER), deliveries: () => deliveries, close: async () => undefined },
  dataDir,
  durable: 'bench',
  logger: createLogger({ level: 'warn', format: 'pretty' }),
  network: NETWORK,
  rotateMs: ROTATE_MS,
  keep: KEEP,
});
try {
  let sent = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (let batch = 0; batch < BATCHES_A_ROUND; batch++) {
      for (let index = 0; index < BATCH; index++) deliveries.next(deliveryOf(sent++));
      await consumer.reached(({ deliveries: taken }) => taken >= sent);
    }
    await firstValueFrom(timer(ROTATE_MS));
    collectGarbage();
    const { heapUsed, external, rss } = process.memoryUsage();
    const [heapMb, externalMb, rssMb] = [heapUsed, external, rss].map((bytes) => (bytes / 1e6).toFixed(1));
    console.log(`${sent} events: heap ${heapMb} MB, outside of it ${externalMb} MB, resident ${rssMb} MB`);
  }
} finally {
  await consumer.close();
  await rm(dataDir, { recursive: true, force: true });
}
