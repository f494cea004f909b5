import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EstimatorNetwork } from '../../../src/consensus/estimators/estimator-network.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { startConsumer } from '../../../src/programs/consumer/start-consumer.ts';
import { duckdb } from '../../support/duckdb.ts';
import { entry, wireObservation } from '../../support/events.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** Events that can be read and that no honest sentry would send: not one may keep the others from being stored. */

const NETWORK: EstimatorNetwork = {
  genesisTimeMs: 1_606_824_023_000,
  slotMs: 12_000,
  slotsPerEpoch: 32,
  activeValidators: 1_000_000,
};
const logger = createLogger({ level: 'silent', format: 'json', write: () => {} });
let folder: Awaited<ReturnType<typeof tempDir>>;

beforeEach(async () => {
  folder = await tempDir();
});
afterEach(() => folder.remove());

const integer = fc.oneof(fc.maxSafeInteger(), fc.nat(), fc.constantFrom(0, -1, Number.MAX_SAFE_INTEGER));
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom('unknown', 'Lighthouse/v5', 'Prysm/v5'),
);
const strange = fc.record({
  enr: fc.option(text),
  id: fc.constantFrom('peer-a', 'peer-b', '\0', "'; DROP TABLE x; --", '🦋'),
  multiaddr: fc.option(
    fc.oneof(
      text,
      fc.constantFrom('/ip4/1.2.3.4/tcp/0', '/ip6/::/udp/9/quic-v1', '/ip4/999.1.1.1/tcp/99999', '/dns4/x/tcp/1'),
    ),
  ),
  epoch: integer,
  metadata: fc.option(
    fc.record({
      seq_number: fc.oneof(integer, fc.double({ noNaN: true, noDefaultInfinity: true })),
      attnets: fc.constantFrom('', 'ffffffffffffffff', 'AQAAAAAAAIA=', null),
      syncnets: fc.constantFrom('', '0f', null),
    }),
  ),
  subscribed_subnets: fc.option(fc.array(fc.integer({ min: -5, max: 70 }), { maxLength: 200 })),
  client_version: text,
  // A few days, so that there are few folders, and both ends of time.
  timestamp: fc.oneof(
    fc.integer({ min: 1_716_000_000_000, max: 1_716_200_000_000 }),
    fc.constantFrom(0, Date.UTC(9999, 11, 31)),
  ),
  slot: fc.option(integer),
  observed_from: fc.option(integer),
  observed_to: fc.option(integer),
  custody_group_count: fc.option(integer),
  fork_digest: fc.option(text),
  direction: fc.constantFrom('inbound', 'outbound', null),
  transport: fc.constantFrom('tcp', 'quic', null),
  current_subnets: fc.option(fc.array(fc.nat({ max: 63 }), { maxLength: 64 })),
  subscribed_syncnets: fc.option(fc.array(integer, { maxLength: 8 })),
  data_column_topics: fc.option(integer),
  missing: fc.option(fc.array(fc.constantFrom('identify', 'status', 'metadata', 'subscriptions'), { maxLength: 4 })),
});

describe('strange events', () => {
  it('are stored like all others, each once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(strange, { minLength: 800, maxLength: 800 }), async (events) => {
        await folder.remove();
        folder = await tempDir();
        const log = memoryLog();
        const consumer = await startConsumer({
          log,
          dataDir: folder.path,
          durable: 'c',
          logger,
          network: NETWORK,
          batchMs: 1,
        });
        await log.append(
          events.map((fields, index) =>
            entry(
              `run:${index}`,
              wireObservation({ ...fields, event_id: `run:${index}`, multiaddr: fields.multiaddr }),
            ),
          ),
        );
        await consumer.reached(({ deliveries }) => deliveries === events.length);
        expect(consumer.problems()).toEqual([]);
        expect(consumer.counts()).toMatchObject({ applied: events.length, malformed: 0 });
        await consumer.close();
        expect(consumer.counts().stagedRows).toBe(0);
        const [found] = await duckdb(
          `SELECT count(*)::INT AS n, count(DISTINCT event_id)::INT AS d FROM '${folder.path}/parquet/metadata_events/*/*.parquet'`,
        );
        expect(found).toEqual({ n: events.length, d: events.length });
      }),
      { numRuns: 4, endOnFailure: true },
    );
  });
});
