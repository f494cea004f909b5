import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EstimatorNetwork } from '../../../src/consensus/estimators/estimator-network.ts';
import { METADATA_RECEIVED } from '../../../src/consensus/events.ts';
import { longLivedSubnets } from '../../../src/devnet/assignment.ts';
import { dutiesOf, SLOTS_PER_EPOCH, subnetsFor } from '../../../src/devnet/duties.ts';
import { seededRandom } from '../../../src/devnet/random.ts';
import { drawTruth, type NodeTruth } from '../../../src/devnet/truth.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { openTracker } from '../../../src/io/storage/tracker/database.ts';
import { startConsumer } from '../../../src/programs/consumer/start-consumer.ts';
import type { LogEntry } from '../../../src/streams/ports/event-log.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { tempDir } from '../../support/temp-dir.ts';

/**
 * The nodes of a devnet, looked at once an epoch without a wire between: what the estimates of a whole network come to. With a wire it
 * is `bench/devnet-accuracy.ts`.
 */

const EPOCHS = 60;
const FIRST_EPOCH = 100;
const SLOT_MS = 12_000;
/** The thirty-first of the epochs ends at midnight. */
const NETWORK: EstimatorNetwork = {
  genesisTimeMs: Date.UTC(2026, 5, 2) - (FIRST_EPOCH + 30) * SLOTS_PER_EPOCH * SLOT_MS,
  slotMs: SLOT_MS,
  slotsPerEpoch: SLOTS_PER_EPOCH,
  activeValidators: 1_000_000,
};
const truth = drawTruth({ nodes: 100, seed: 5, activeValidators: NETWORK.activeValidators, firstEpoch: FIRST_EPOCH });
const logger = createLogger({ level: 'silent', format: 'json', write: () => {} });

function bytesOf(subnets: readonly number[]): string {
  const bytes = Buffer.alloc(8);
  for (const subnet of subnets) bytes[subnet >> 3] = (bytes[subnet >> 3] ?? 0) | (1 << (subnet & 7));
  return bytes.toString('base64');
}

function looksAt(node: NodeTruth): { atMs: number; wire: Record<string, unknown> }[] {
  const random = seededRandom('looks', node.index);
  return Array.from({ length: EPOCHS }, (_, index) => {
    const epoch = FIRST_EPOCH + index;
    const slot = epoch * SLOTS_PER_EPOCH + Math.floor(random() * SLOTS_PER_EPOCH);
    const longLived = longLivedSubnets(node.nodeId, epoch);
    const duties = [0, 1, 2].flatMap((ahead) => dutiesOf(node, epoch + ahead));
    const atMs = NETWORK.genesisTimeMs + slot * SLOT_MS + 4_000;
    const wire = {
      enr: 'enr:',
      id: node.peerId,
      multiaddr: `/ip4/127.0.0.1/tcp/${9_000 + node.index}`,
      epoch,
      metadata: { seq_number: 1, attnets: bytesOf(longLived), syncnets: 'AA==' },
      subscribed_subnets: [...new Set([...longLived, ...subnetsFor(node.client, duties, slot)])],
      client_version: node.agent,
      timestamp: atMs,
      slot,
      custody_group_count: node.custodyGroupCount,
    };
    return { atMs, wire };
  });
}

const events: { atMs: number; entry: LogEntry }[] = truth
  .flatMap(looksAt)
  .sort((a, b) => a.atMs - b.atMs)
  .map(({ atMs, wire }, index) => ({
    atMs,
    entry: {
      subject: METADATA_RECEIVED,
      eventId: `run:${index}`,
      payload: new TextEncoder().encode(JSON.stringify({ ...wire, event_id: `run:${index}` })),
    },
  }));

async function consume(dataDir: string, entries: readonly LogEntry[], batchSize: number): Promise<void> {
  const log = memoryLog();
  const consumer = await startConsumer({
    log,
    dataDir,
    durable: 'test',
    logger,
    network: NETWORK,
    batchSize,
    batchMs: 5,
  });
  await log.append(entries);
  await consumer.reached(({ deliveries }) => deliveries === entries.length);
  await consumer.close();
}

interface Row {
  readonly peer_id: string;
  readonly validators_estimate: number | null;
  readonly validators_low: number;
  readonly validators_high: number | null;
  readonly stake_eth_low: number | null;
  readonly stake_eth_high: number | null;
}

async function query<T>(dataDir: string, sql: string): Promise<T[]> {
  const tracker = await openTracker(dataDir);
  try {
    return await tracker.reader.all<T>(sql);
  } finally {
    await tracker.close();
  }
}

const ESTIMATES = `peer_id, validators_estimate, validators_low, validators_high, stake_eth_low, stake_eth_high`;

/** All that depends on observations and on nothing else. */
function everything(dataDir: string): Promise<unknown[][]> {
  const queries = [
    `SELECT ${ESTIMATES}, estimate_flags, estimate_method, estimate_observations, estimate_from_ms, estimate_to_ms
       FROM validator_tracker ORDER BY peer_id`,
    'SELECT * FROM validator_estimates ORDER BY peer_id, method',
    'SELECT * FROM validator_history ORDER BY day, peer_id',
    'SELECT * FROM estimator_states ORDER BY peer_id',
  ];
  return Promise.all(queries.map((sql) => query(dataDir, sql)));
}

let folder: Awaited<ReturnType<typeof tempDir>>;

beforeAll(async () => {
  folder = await tempDir();
  await consume(
    folder.path,
    events.map(({ entry }) => entry),
    500,
  );
});
afterAll(() => folder.remove());

describe('a network of a hundred nodes, watched for sixty epochs', () => {
  it('has a sum within a tenth of the truth', async () => {
    const rows = await query<Row>(folder.path, `SELECT ${ESTIMATES} FROM validator_tracker`);
    const validators = truth.reduce((sum, node) => sum + node.validators, 0);
    const estimated = rows.reduce((sum, row) => sum + (row.validators_estimate ?? row.validators_low), 0);
    expect(validators).toBeGreaterThan(8_000);
    expect(Math.abs(estimated / validators - 1)).toBeLessThan(0.1);
  });

  it('has the truth inside the interval of at least 85 nodes, and the stake inside its bounds', async () => {
    const rows = await query<Row>(folder.path, `SELECT ${ESTIMATES} FROM validator_tracker`);
    const byPeer = new Map(rows.map((row) => [row.peer_id, row]));
    const isWithin = (value: number, low: number | null | undefined, high: number | null | undefined) =>
      (low ?? 0) <= value && value <= (high ?? Number.POSITIVE_INFINITY);
    const count = (holds: (node: NodeTruth, row: Row | undefined) => boolean) =>
      truth.filter((node) => holds(node, byPeer.get(node.peerId))).length;
    expect(rows).toHaveLength(100);
    const validators = count((node, row) => isWithin(node.validators, row?.validators_low, row?.validators_high));
    const stakes = count((node, row) => isWithin(node.stakeEth, row?.stake_eth_low, row?.stake_eth_high));
    expect(validators).toBeGreaterThanOrEqual(85);
    expect(stakes).toBeGreaterThanOrEqual(85);
  });

  it('has an estimate of every method for every node', async () => {
    const sql = `SELECT method, count(*) AS nodes, sum(observations > 0) AS seen FROM validator_estimates GROUP BY 1 ORDER BY 1`;
    const expected = (method: string) => ({ method, nodes: 100, seen: 100 });
    const [combined, custody, legacy, published, subnets] = await query<object>(folder.path, sql);
    expect([combined, custody, published, subnets]).toEqual(
      ['combined', 'custody', 'published', 'subnets'].map(expected),
    );
    // The Go program's rule never says zero, so it says nothing of a node without validators.
    expect(legacy).toMatchObject({ method: 'legacy', nodes: 100, seen: expect.toSatisfy((seen) => seen < 80) });
  });
});

describe('the estimates', () => {
  it('are to the bit the same when everything is delivered again', async () => {
    const before = await everything(folder.path);
    await consume(folder.path, events.map(({ entry }) => entry).toReversed(), 333);
    expect(await everything(folder.path)).toEqual(before);
  });

  it('do not depend on where batches begin and end', async () => {
    const other = await tempDir();
    await consume(
      other.path,
      events.map(({ entry }) => entry),
      71,
    );
    expect(await everything(other.path)).toEqual(await everything(folder.path));
    await other.remove();
  });

  it('have a history: each day as it was when it ended', async () => {
    const midnightMs = Date.UTC(2026, 5, 2);
    const other = await tempDir();
    const ofTheFirstDay = events.filter(({ atMs }) => atMs < midnightMs).map(({ entry }) => entry);
    expect(ofTheFirstDay.length).toBe(30 * 100);
    await consume(other.path, ofTheFirstDay, 1_000);
    const then = await query<Row>(other.path, `SELECT ${ESTIMATES} FROM validator_tracker ORDER BY peer_id`);
    await other.remove();
    const history = (day: string) =>
      query<Row>(folder.path, `SELECT ${ESTIMATES} FROM validator_history WHERE day = '${day}' ORDER BY peer_id`);
    expect(await history('2026-06-01')).toEqual(then);
    expect(await history('2026-06-02')).toEqual(
      await query(folder.path, `SELECT ${ESTIMATES} FROM validator_tracker ORDER BY peer_id`),
    );
  });

  it('rest on custody alone where the network is not known', async () => {
    const other = await tempDir();
    const log = memoryLog();
    const consumer = await startConsumer({ log, dataDir: other.path, durable: 'test', logger, batchMs: 5 });
    await log.append(events.slice(0, 500).map(({ entry }) => entry));
    await consumer.reached(({ deliveries }) => deliveries === 500);
    await consumer.close();
    const rows = await query<{ method: string; nodes: number }>(
      other.path,
      'SELECT method, count(estimate) AS nodes FROM validator_estimates GROUP BY method ORDER BY method',
    );
    await other.remove();
    const custody = rows.find(({ method }) => method === 'custody')?.nodes;
    expect(custody).toBeGreaterThan(50);
    expect(rows).toContainEqual({ method: 'combined', nodes: custody });
    expect(rows).toContainEqual({ method: 'subnets', nodes: 0 });
  });
});
