import { afterAll, beforeAll, expect, it } from 'vitest';
import { METADATA_RECEIVED } from '../../../src/consensus/events.ts';
import { longLivedSubnets } from '../../../src/devnet/assignment.ts';
import type { ClientName } from '../../../src/devnet/clients.ts';
import { dutiesOf, SLOTS_PER_EPOCH, subnetsFor } from '../../../src/devnet/duties.ts';
import { seededRandom } from '../../../src/devnet/random.ts';
import { drawTruth, type NodeTruth } from '../../../src/devnet/truth.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { openTracker, type TrackerDatabase } from '../../../src/io/storage/tracker/database.ts';
import { networkFigures } from '../../../src/io/storage/tracker/network-figures.ts';
import { startConsumer } from '../../../src/programs/consumer/start-consumer.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** Nodes of a devnet whose windows are not as assumed, through the consumer to what `/api/v1/calibration` serves. */

const EPOCHS = 100;
const FIRST_EPOCH = 100;
const SLOT_MS = 12_000;
const NETWORK = {
  genesisTimeMs: Date.UTC(2026, 5, 1),
  slotMs: SLOT_MS,
  slotsPerEpoch: SLOTS_PER_EPOCH,
  activeValidators: 1_000_000,
};
const { activeValidators } = NETWORK;
const logger = createLogger({ level: 'silent', format: 'json', write: () => {} });

/** Each says that it is one client, and keeps its subscriptions as another does. */
const AGENTS: Readonly<Partial<Record<ClientName, string>>> = {
  Lodestar: 'Lighthouse/v8.0.1-ced49dd/x86_64-linux',
  Teku: 'Prysm/v7.0.0/d2e4cc8f1c7c9a2fdb2ba0cf2d2a2b5e5f6f1c77',
  Grandine: 'Grandine/2.0.0-1e3d5c2/x86_64-linux',
};

function bytesOf(subnets: readonly number[]): string {
  const bytes = Buffer.alloc(8);
  for (const subnet of subnets) bytes[subnet >> 3] = (bytes[subnet >> 3] ?? 0) | (1 << (subnet & 7));
  return bytes.toString('base64');
}

function eventsOf(node: NodeTruth, conduct: ClientName): Record<string, unknown>[] {
  const random = seededRandom('looks', node.index);
  return Array.from({ length: EPOCHS }, (_, index) => {
    const epoch = FIRST_EPOCH + index;
    const slot = epoch * SLOTS_PER_EPOCH + Math.floor(random() * SLOTS_PER_EPOCH);
    const longLived = longLivedSubnets(node.nodeId, epoch);
    const duties = [0, 1, 2].flatMap((ahead) => dutiesOf(node, epoch + ahead));
    return {
      enr: 'enr:',
      id: node.peerId,
      multiaddr: '/ip4/127.0.0.1/tcp/9000',
      epoch,
      metadata: { seq_number: 1, attnets: bytesOf(longLived), syncnets: 'AA==' },
      subscribed_subnets: [...new Set([...longLived, ...subnetsFor(conduct, duties, slot)])],
      client_version: AGENTS[conduct],
      timestamp: NETWORK.genesisTimeMs + slot * SLOT_MS,
      slot,
      custody_group_count: node.validators,
      event_id: `run:${node.index * EPOCHS + index}`,
    };
  });
}

let folder: Awaited<ReturnType<typeof tempDir>>;
let tracker: TrackerDatabase;

beforeAll(async () => {
  folder = await tempDir();
  const log = memoryLog();
  const consumer = await startConsumer({
    ...{ log, dataDir: folder.path, durable: 'test', logger, network: NETWORK, batchMs: 5 },
  });
  const conducts: readonly ClientName[] = ['Lodestar', 'Teku', 'Grandine'];
  const entries = drawTruth({ nodes: 36, seed: 11, activeValidators, firstEpoch: FIRST_EPOCH }).flatMap(
    (node, index) => {
      // All of 32 ETH, and a stake that the custody count pins.
      const pinned = { ...node, validators: 70 + index };
      return eventsOf(pinned, conducts[index % conducts.length] as ClientName).map((wire) => ({
        subject: METADATA_RECEIVED,
        eventId: wire['event_id'] as string,
        payload: new TextEncoder().encode(JSON.stringify(wire)),
      }));
    },
  );
  await log.append(entries);
  await consumer.reached(({ applied }) => applied === entries.length);
  await consumer.close();
  tracker = await openTracker(folder.path);
});
afterAll(async () => {
  await tracker.close();
  await folder.remove();
});

it.each([
  // Client, slots assumed on average, slots that its nodes in truth show.
  ['Lighthouse', 2, 3],
  ['Prysm', 17.5, 48.5],
  ['Grandine', 2, 2],
])('finds that %s, assumed to show %d slots, shows %d', async (client, assumed, shown) => {
  const windows = await networkFigures(tracker.reader, NETWORK).calibration({
    fromMs: 0,
    toMs: Number.MAX_SAFE_INTEGER,
  });
  const window = windows.find((entry) => entry.client === client);
  expect(window).toMatchObject({ assumedSlots: assumed });
  expect(window?.nodes).toBeGreaterThanOrEqual(9);
  expect(Math.abs((window?.calibratedSlots ?? 0) / shown - 1)).toBeLessThan(0.12);
  if (assumed !== shown) expect(window?.low).toBeGreaterThan(assumed);
  expect(window?.high).toBeGreaterThan(window?.calibratedSlots ?? Number.POSITIVE_INFINITY);
});
