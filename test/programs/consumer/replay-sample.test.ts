import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentEventId } from '../../../src/consensus/event-id.ts';
import { METADATA_RECEIVED } from '../../../src/consensus/events.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { openTracker } from '../../../src/io/storage/tracker/database.ts';
import { startConsumer } from '../../../src/programs/consumer/start-consumer.ts';
import type { LogEntry } from '../../../src/streams/ports/event-log.ts';
import { duckdb, duckdbTypes } from '../../support/duckdb.ts';
import { GO_COLUMNS } from '../../support/go-columns.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** Real observations from May 2024, published by the authors of the Go program. */
const SAMPLE = fileURLToPath(new URL('../../fixtures/valtrack-sample-2024-05.csv', import.meta.url));

/** Each row with its count of short-lived subnets, from the list columns of the file and without our code. */
const OBSERVATIONS = `
  SELECT *, len(list_distinct(list_filter(
    from_json(subscribed_subnets, '["BIGINT"]'),
    lambda s: s BETWEEN 0 AND 63 AND NOT list_contains(from_json(long_lived_subnets, '["BIGINT"]'), s)
  ))) AS short_lived
  FROM read_csv('${SAMPLE}', header = true, all_varchar = true)`;

const logger = createLogger({ level: 'silent', format: 'json', write: () => {} });
let folder: Awaited<ReturnType<typeof tempDir>>;

beforeAll(async () => {
  folder = await tempDir();
  const log = memoryLog();
  const entries = await sampleEntries();
  const consumer = await startConsumer({
    log,
    dataDir: folder.path,
    durable: 'test',
    logger,
    batchSize: 7,
    batchMs: 5,
  });
  await log.append(entries);
  await consumer.reached(({ deliveries }) => deliveries === entries.length);
  // Twice, as after a crash before the acknowledgements: nothing may change.
  await log.append(entries.toReversed());
  await consumer.reached(({ duplicates }) => duplicates === entries.length);
  await consumer.close();
});

afterAll(() => folder.remove());

async function sampleEntries(): Promise<LogEntry[]> {
  const rows = await duckdb(OBSERVATIONS);
  return rows.map((row) => {
    const wire = {
      enr: row['enr'],
      id: row['id'],
      multiaddr: row['multiaddr'],
      epoch: Number(row['epoch']),
      metadata: JSON.parse(String(row['metadata'])) as object,
      subscribed_subnets: JSON.parse(String(row['subscribed_subnets'])) as number[],
      client_version: row['client_version'],
      crawler_id: row['crawler_id'],
      crawler_location: row['crawler_location'],
      timestamp: Number(row['timestamp']),
    };
    const payload = new TextEncoder().encode(JSON.stringify(wire));
    return { subject: METADATA_RECEIVED, eventId: contentEventId(METADATA_RECEIVED, payload), payload };
  });
}

describe('the published sample', () => {
  it('gives every peer the figures that SQL over the file gives', async () => {
    const expected = await duckdb(`
      SELECT id AS peer_id,
        max(short_lived)::INT AS max_validator_count,
        count(*)::INT AS num_observations,
        max(timestamp::BIGINT)::DOUBLE AS last_seen,
        min(timestamp::BIGINT)::DOUBLE AS first_seen,
        arg_max(epoch::INT, timestamp::BIGINT) AS last_epoch,
        arg_max(client_version, timestamp::BIGINT) FILTER (client_version NOT IN ('', 'unknown')) AS client_version,
        arg_max(enr, timestamp::BIGINT) FILTER (enr <> 'enr:') AS enr,
        arg_max(split_part(multiaddr, '/', 3), timestamp::BIGINT) AS ip,
        arg_max(split_part(multiaddr, '/', 5)::INT, timestamp::BIGINT) AS port
      FROM (${OBSERVATIONS}) GROUP BY id ORDER BY id`);
    const tracker = await openTracker(folder.path);
    const actual = await tracker.reader.all(
      `SELECT peer_id, max_validator_count, num_observations, last_seen, first_seen, last_epoch, client_version, enr,
         ip, port FROM validator_tracker ORDER BY peer_id`,
    );
    await tracker.close();
    expect(actual.length).toBeGreaterThan(50);
    expect(actual).toEqual(expected);
  });

  it('is in the Parquet tables row for row', async () => {
    const files = (table: string) => `read_parquet('${folder.path}/parquet/${table}/*/*.parquet')`;
    const given = await duckdb(`
      SELECT id, timestamp, epoch, client_version, multiaddr, enr, metadata ->> 'attnets' AS attnets,
        (metadata ->> 'seq_number') AS seq_number, from_json(subscribed_subnets, '["BIGINT"]') AS subscribed_subnets,
        from_json(long_lived_subnets, '["BIGINT"]') AS long_lived_subnets, short_lived
      FROM (${OBSERVATIONS}) ORDER BY timestamp, id`);
    const columns = 'id, timestamp::VARCHAR AS timestamp, epoch::VARCHAR AS epoch, client_version, multiaddr, enr';
    const metadata = await duckdb(`
      SELECT ${columns}, metadata.attnets AS attnets, metadata.seq_number::VARCHAR AS seq_number, subscribed_subnets
      FROM ${files('metadata_events')} ORDER BY timestamp, id`);
    expect(metadata).toEqual(given.map(({ long_lived_subnets: _l, short_lived: _s, ...row }) => row));
    const validators = await duckdb(`
      SELECT ${columns}, attnets, seq_number::VARCHAR AS seq_number, subscribed_subnets, long_lived_subnets
      FROM ${files('validator_metadata_events')} ORDER BY timestamp, id`);
    expect(validators).toEqual(
      given.filter((row) => Number(row['short_lived']) > 0).map(({ short_lived: _s, ...row }) => row),
    );
  });

  it('has the column types of the Go program', async () => {
    const table = (name: string) => `SELECT * FROM '${folder.path}/parquet/${name}/*/*.parquet'`;
    for (const name of ['validator_metadata_events', 'metadata_events'] as const) {
      expect(await duckdbTypes(table(name)), name).toMatchObject(GO_COLUMNS[name]);
    }
  });
});
