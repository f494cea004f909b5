import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeEvent, METADATA_RECEIVED, PEER_DISCOVERED } from '../../../../src/consensus/events.ts';
import { readRecording } from '../../../../src/io/recording/read-recording.ts';
import { fileSteps } from '../../../../src/io/storage/parquet/file-steps.ts';
import { rowsOf } from '../../../../src/io/storage/parquet/rows.ts';
import { TABLES } from '../../../../src/io/storage/parquet/tables.ts';
import { duckdb } from '../../../support/duckdb.ts';
import { wireDiscovery, wireObservation } from '../../../support/events.ts';
import { tempDir } from '../../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;

beforeAll(async () => {
  folder = await tempDir();
});
afterAll(() => folder.remove());

function rows(subject: string, wire: object) {
  const decoded = decodeEvent(subject, new TextEncoder().encode(JSON.stringify(wire)));
  if (!decoded.ok) throw new Error(decoded.reason);
  return rowsOf(decoded.value);
}

const subnets = fc.array(fc.integer({ min: -2, max: 70 }), { maxLength: 100 });
const integer = fc.oneof(fc.maxSafeInteger(), fc.nat());
/** What a hostile or foreign producer may send and a reader must take. */
const anyObservation = fc.record({
  enr: fc.string({ unit: 'binary' }),
  id: fc.string({ unit: 'binary', minLength: 1 }),
  multiaddr: fc.option(fc.string({ unit: 'binary' })),
  epoch: integer,
  metadata: fc.option(
    fc.record({
      seq_number: fc.oneof(fc.nat(), fc.constant(2 ** 64), fc.constant(1e300), fc.constant(0.5)),
      attnets: fc.constantFrom('', 'ffffffffffffffff', 'AQAAAAAAAIA='),
      syncnets: fc.constantFrom('', '0f', 'AQ=='),
    }),
  ),
  subscribed_subnets: fc.option(subnets),
  // Half surrogate pairs and NUL come through JSON, and through no store.
  client_version: fc.string({ unit: fc.constantFrom('a', '\ud83e', '\udd8b', '\0') }),
  timestamp: fc.nat({ max: Date.UTC(9999, 11, 31) }),
  event_id: fc.option(fc.string()),
  slot: fc.option(integer),
  custody_group_count: fc.option(integer),
  transport: fc.constantFrom('tcp', 'quic', null),
});

describe('rowsOf', () => {
  it('makes rows that DuckDB reads of any event that can be decoded', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anyObservation, { minLength: 1, maxLength: 20 }), async (fields) => {
        run++;
        const written = fields.flatMap((given) => rows(METADATA_RECEIVED, wireObservation(given)));
        for (const table of TABLES) {
          const own = written.filter((row) => row.table === table);
          if (own.length === 0) continue;
          const path = join(folder.path, `${run}-${table}.parquet`);
          await fileSteps.write(path, table, each(own.map(({ row }) => row)));
          const found = await duckdb(`SELECT * FROM '${path}'`);
          expect(found.map((row) => [row['id'], row['client_version'], row['timestamp']])).toEqual(
            own.map(({ row }) => {
              const { id, client_version, timestamp } = row as Record<string, unknown>;
              return [id, client_version, String(timestamp)];
            }),
          );
        }
      }),
      { numRuns: 40 },
    );
  });

  it('makes rows of which the same events can be made again, with all that they tell', async () => {
    const path = join(folder.path, 'again.parquet');
    const given = [
      wireObservation({ event_id: 'run:1', missing: ['subscriptions'], current_subnets: [], subscribed_syncnets: [1] }),
      wireObservation({ event_id: 'run:2', missing: [], current_subnets: [3, 11], data_column_topics: 128 }),
      wireObservation({ event_id: 'run:3' }),
    ];
    const written = given.flatMap((wire) => rows(METADATA_RECEIVED, wire));
    const own = written.filter(({ table }) => table === 'metadata_events').map(({ row }) => row);
    await fileSteps.write(path, 'metadata_events', each(own));
    const events: unknown[] = [];
    for await (const { subject, payload } of readRecording(path, { onBroken: ({ reason }) => events.push(reason) })) {
      const decoded = decodeEvent(subject, payload);
      events.push(decoded.ok ? withoutAbsent(decoded.value.event) : decoded.reason);
    }
    const expected = given.map((wire) => {
      const decoded = decodeEvent(METADATA_RECEIVED, new TextEncoder().encode(JSON.stringify(wire)));
      return decoded.ok ? withoutAbsent(decoded.value.event) : decoded.reason;
    });
    expect(events).toEqual(expected);
  });

  it('files an event under its day in UTC', () => {
    const dates = (timestamp: number) =>
      rows(METADATA_RECEIVED, wireObservation({ timestamp })).map(({ date }) => date);
    expect(dates(Date.UTC(2024, 1, 29, 23, 59, 59, 999))).toEqual(['2024-02-29', '2024-02-29']);
    expect(dates(Date.UTC(2024, 2, 1))).toEqual(['2024-03-01', '2024-03-01']);
    expect(dates(0)).toEqual(['1970-01-01', '1970-01-01']);
  });

  it.each([
    ['a short-lived subnet', {}, true],
    ['subnet 0 alone', { subscribed_subnets: [0, 11, 12] }, true],
    ['long-lived subnets only', { subscribed_subnets: [11, 12] }, false],
    ['no subnets', { subscribed_subnets: null }, false],
    ['no metadata', { metadata: null }, false],
  ])('makes a validator row of an observation with %s: %o', (_, fields, expected) => {
    const tables = rows(METADATA_RECEIVED, wireObservation(fields)).map(({ table }) => table);
    expect(tables).toEqual(expected ? ['metadata_events', 'validator_metadata_events'] : ['metadata_events']);
  });

  it('makes one row of a discovery', () => {
    expect(rows(PEER_DISCOVERED, wireDiscovery({ event_id: 'run:1' }))).toEqual([
      {
        table: 'discovery_events',
        date: '2024-05-28',
        row: expect.objectContaining(wireDiscovery({ event_id: 'run:1' })),
      },
    ]);
  });
});

/** What is `null` and what is not there mean the same. */
function withoutAbsent(event: object): object {
  return Object.fromEntries(Object.entries(event).filter(([, value]) => value !== null && value !== undefined));
}

async function* each(values: readonly object[]): AsyncGenerator<object> {
  yield* values;
}
