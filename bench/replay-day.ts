import { createHash } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Observable } from 'rxjs';
import { METADATA_RECEIVED } from '../src/consensus/events.ts';
import { createLogger } from '../src/io/logging/logger.ts';
import { openTracker } from '../src/io/storage/tracker/database.ts';
import { TRACKER_FILE } from '../src/io/storage/tracker/schema.ts';
import { type ConsumerCounts, startConsumer } from '../src/programs/consumer/start-consumer.ts';
import type { Delivery, EventLog } from '../src/streams/ports/event-log.ts';
import { seededRandom } from './accuracy/generator.ts';

/**
 * A day of observations through the consumer, twice, and once more into another folder in batches of another size: prints how fast,
 * and whether all estimates are the same to the bit.
 *
 *     node bench/replay-day.ts [--events 2700000] [--peers 12000] [--once]
 */

const argument = (name: string, fallback: number) => {
  const index = process.argv.indexOf(`--${name}`);
  return index === -1 ? fallback : Number(process.argv[index + 1]);
};
const PEERS = argument('peers', 12_000);
const EVENTS = argument('events', 2_700_000);
/** Large ones, as when catching up: a peer seen twice in a batch is read and written once. */
const BATCH_EVENTS = 12_000;
/** Of no common measure with the others. */
const OTHER_BATCH_EVENTS = 7_777;
const SLOT_MS = 12_000;
const SLOTS_PER_EPOCH = 32;
const NETWORK = {
  genesisTimeMs: 1_606_824_023_000,
  slotMs: SLOT_MS,
  slotsPerEpoch: SLOTS_PER_EPOCH,
  activeValidators: 1_000_000,
};
const FIRST_EPOCH = 480_000;
const AGENTS = [
  'Lighthouse/v8.0.1-ced49dd/x86_64-linux',
  'Prysm/v7.0.0/d2e4cc8f1c7c9a2fdb2ba0cf2d2a2b5e5f6f1c77',
  'teku/teku/v25.11.0/linux-x86_64/-eclipseadoptium-openjdk64bitservervm-java-21',
  'nimbus',
  'lodestar/v1.38.0',
  'rust-libp2p/0.55',
];

/** Each peer once an epoch; most show nothing but their long-lived subnets, as on mainnet. */
function payloadOf(index: number): Uint8Array {
  const peer = index % PEERS;
  const epoch = FIRST_EPOCH + Math.floor(index / PEERS);
  const random = seededRandom(peer * 65_537 + epoch);
  const slot = epoch * SLOTS_PER_EPOCH + Math.floor(random() * SLOTS_PER_EPOCH);
  const fromMs = NETWORK.genesisTimeMs + slot * SLOT_MS + Math.floor(random() * 8_000);
  const backbone = [peer % 64, (peer + 1) % 64];
  const attnets = Buffer.alloc(8);
  for (const subnet of backbone) attnets[subnet >> 3] = (attnets[subnet >> 3] ?? 0) | (1 << (subnet & 7));
  const load = peer % 10 === 0 ? 20 : 1;
  const subnets = Array.from({ length: Math.floor(random() * random() * load * 2) }, () => Math.floor(random() * 64));
  const event = {
    enr: `enr:-${'x'.repeat(250)}${peer}`,
    id: `16Uiu2HAm${String(peer).padStart(44, 'z')}`,
    multiaddr: `/ip4/10.${peer >> 16}.${(peer >> 8) & 255}.${peer & 255}/tcp/9000`,
    epoch,
    metadata: { seq_number: 3, attnets: attnets.toString('base64'), syncnets: 'AA==' },
    subscribed_subnets: [...new Set([...backbone, ...subnets])],
    client_version: AGENTS[peer % AGENTS.length],
    crawler_id: 'bench',
    crawler_location: 'here',
    timestamp: fromMs + 1_000,
    event_id: `bench:${index}`,
    slot,
    observed_from: fromMs,
    observed_to: fromMs + 1_000,
    fork_digest: '8c9f62fe',
    custody_group_count: [4, 8, 8, 17, 128][peer % 5],
    direction: 'outbound',
    transport: 'tcp',
  };
  return new TextEncoder().encode(JSON.stringify(event));
}

/** All events, made as they are taken. */
function dayLog(): EventLog {
  return {
    id: 'bench',
    append: async () => undefined,
    close: async () => undefined,
    deliveries: ({ maxInFlight }) =>
      new Observable<Delivery>((subscriber) => {
        let [next, inFlight, isPumping] = [0, 0, false];
        const pump = () => {
          isPumping = false;
          while (!subscriber.closed && next < EVENTS && inFlight < maxInFlight) {
            const index = next++;
            inFlight++;
            const ack = () => {
              inFlight--;
              if (!isPumping) queueMicrotask(pump);
              isPumping = true;
            };
            const payload = payloadOf(index);
            subscriber.next({
              subject: METADATA_RECEIVED,
              eventId: `bench:${index}`,
              position: index + 1,
              payload,
              ack,
            });
          }
        };
        pump();
      }),
  };
}

async function replay(dataDir: string, batchSize: number, enough: keyof ConsumerCounts): Promise<number> {
  const logger = createLogger({ level: 'warn', format: 'pretty' });
  const beganMs = performance.now();
  const consumer = await startConsumer({
    log: dayLog(),
    dataDir,
    durable: 'bench',
    logger,
    network: NETWORK,
    batchSize,
    maxInFlight: 2 * batchSize,
  });
  await consumer.reached((counts) => counts[enough] === EVENTS);
  await consumer.close();
  return performance.now() - beganMs;
}

const QUERIES = [
  `SELECT peer_id, validators_estimate, validators_low, validators_high, stake_eth_low, stake_eth_high, estimate_method,
     estimate_flags, estimate_observations, estimate_from_ms, estimate_to_ms, max_validator_count
     FROM validator_tracker ORDER BY peer_id`,
  'SELECT * FROM validator_estimates ORDER BY peer_id, method',
  'SELECT * FROM estimator_states ORDER BY peer_id',
  'SELECT * FROM validator_history ORDER BY day, peer_id',
];

/** Doubles are printed so that they read back to the same bits. */
async function fingerprint(dataDir: string): Promise<string> {
  const tracker = await openTracker(dataDir);
  const hash = createHash('sha256');
  for (const query of QUERIES) hash.update(JSON.stringify(await tracker.reader.all(query)));
  await tracker.close();
  return hash.digest('hex').slice(0, 16);
}

async function printSizes(dataDir: string): Promise<void> {
  const tracker = await openTracker(dataDir);
  const states = await tracker.reader.get<{ mean: number; most: number }>(
    'SELECT avg(length(state)) AS mean, max(length(state)) AS most FROM estimator_states',
  );
  const history = await tracker.reader.get<{ rows: number; bytes: number }>(
    `SELECT (SELECT count(*) FROM validator_history) AS rows,
            (SELECT sum(pgsize) FROM dbstat WHERE name = 'validator_history') AS bytes`,
  );
  await tracker.close();
  console.log(`state of a peer: ${states?.mean.toFixed(0)} bytes on average, ${states?.most} at most`);
  console.log(
    `history: ${history?.rows} rows, ${((history?.bytes ?? 0) / (history?.rows ?? 1)).toFixed(0)} bytes each`,
  );
  console.log(`${TRACKER_FILE}: ${((await stat(join(dataDir, TRACKER_FILE))).size / 1e6).toFixed(1)} MB`);
}

const folder = await mkdtemp(join(tmpdir(), 'valtrack-bench-'));
try {
  const beganMs = performance.now();
  for (let index = 0; index < Math.min(EVENTS, 50_000); index++) payloadOf(index);
  const makingMs = (performance.now() - beganMs) / Math.min(EVENTS, 50_000);
  console.log(`${EVENTS} observations of ${PEERS} peers; making one takes ${(makingMs * 1e3).toFixed(1)} µs`);
  const rate = (ms: number) => `${(ms / 1e3).toFixed(1)} s, ${Math.round(EVENTS / (ms / 1e3))} events/s`;

  const first = join(folder, 'first');
  console.log(`first time:  ${rate(await replay(first, BATCH_EVENTS, 'applied'))}`);
  const once = await fingerprint(first);
  await printSizes(first);
  console.log(`second time: ${rate(await replay(first, BATCH_EVENTS, 'duplicates'))}, all of them duplicates`);
  const twice = await fingerprint(first);
  console.log(
    `estimates after replaying twice: ${once === twice ? 'the same to the bit' : 'DIFFERENT'} (${once}, ${twice})`,
  );
  let isSame = once === twice;
  if (!process.argv.includes('--once')) {
    const other = join(folder, 'other');
    console.log(
      `other folder, batches of ${OTHER_BATCH_EVENTS}: ${rate(await replay(other, OTHER_BATCH_EVENTS, 'applied'))}`,
    );
    const again = await fingerprint(other);
    console.log(`estimates there: ${once === again ? 'the same to the bit' : 'DIFFERENT'} (${again})`);
    isSame &&= once === again;
  }
  console.log(`most memory: ${Math.round(process.resourceUsage().maxRSS / 1_024)} MiB`);
  process.exitCode = isSame ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
