import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileSteps } from '../../../../src/io/storage/parquet/file-steps.ts';
import { rowsOf } from '../../../../src/io/storage/parquet/rows.ts';
import { TABLES, type Table } from '../../../../src/io/storage/parquet/tables.ts';
import { duckdb, duckdbTypes } from '../../../support/duckdb.ts';
import { observation } from '../../../support/events.ts';
import { GO_COLUMNS } from '../../../support/go-columns.ts';
import { tempDir } from '../../../support/temp-dir.ts';

/** What readers that share no code with the writer make of its files. */

let folder: Awaited<ReturnType<typeof tempDir>>;
const ROWS = 12_000;

beforeAll(async () => {
  folder = await tempDir();
  for (const table of TABLES) await fileSteps.write(pathOf(table), table, rows(table));
});
afterAll(() => folder.remove());

const pathOf = (table: Table) => join(folder.path, `${table}.parquet`);

/** More than one row group, with every kind of value and absence. */
async function* rows(table: Table): AsyncGenerator<object> {
  for (let index = 0; index < ROWS; index++) {
    const event = observation({
      event_id: `run:${index}`,
      client_version: index % 3 === 0 ? '' : `Lighthouse/v${index}-péer-🦋`,
      subscribed_subnets: [index % 64, 63, 63],
      custody_group_count: index % 2 === 0 ? null : index,
      ...(index % 5 === 0 && table === 'metadata_events' ? { metadata: null, subscribed_subnets: [] } : {}),
      slot: 2 ** 40 + index,
      // Absent, empty and full are three different things.
      subscribed_syncnets: [null, [], [0, 3]][index % 3] as number[] | null,
      data_column_topics: index % 2 === 0 ? null : 128,
      current_subnets: [[], [63, 0], null][index % 3] as number[] | null,
      missing: [null, ['subscriptions', 'status'], []][index % 3] as string[] | null,
    });
    const discovered = { ...event, ip: '::1', port: 65_535 };
    const made =
      table === 'discovery_events'
        ? rowsOf({ subject: 'events.peer_discovered', event: discovered })
        : rowsOf({ subject: 'events.metadata_received', event });
    const row = made.find((one) => one.table === table);
    if (row !== undefined) yield row.row;
  }
}

async function written(table: Table): Promise<object[]> {
  const all: object[] = [];
  for await (const row of rows(table)) all.push(row);
  return all;
}

function withoutNulls(row: object): object {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}

const LISTS = ['subscribed_subnets', 'long_lived_subnets', 'subscribed_syncnets', 'current_subnets', 'missing'];

describe.each(TABLES)('%s', (table) => {
  it('is read by hyparquet as it was written, row for row', async () => {
    const file = await asyncBufferFromFile(pathOf(table));
    const read = await parquetReadObjects({ file });
    const plain = JSON.parse(JSON.stringify(read, (_, value) => (typeof value === 'bigint' ? Number(value) : value)));
    const expected = (await written(table)).map((row) => {
      const flat = JSON.parse(JSON.stringify(row)) as Record<string, unknown>;
      for (const name of LISTS) {
        const list = flat[name] as { list: { element: unknown }[] } | null | undefined;
        if (list) flat[name] = list.list.map(({ element }) => element);
      }
      return flat;
    });
    expect(plain.length).toBe(expected.length);
    const different = expected.findIndex(
      (row, index) => !isDeepStrictEqual(withoutNulls(plain[index]), withoutNulls(row)),
    );
    expect(plain[different]).toEqual(expected[different]);
    expect(different).toBe(-1);
  });

  it('has the columns of the Go program first, by name and type, and ours behind them', async () => {
    const types = await duckdbTypes(`SELECT * FROM '${pathOf(table)}'`);
    const first = Object.entries(types).slice(0, Object.keys(GO_COLUMNS[table]).length);
    expect(first).toEqual(Object.entries(GO_COLUMNS[table]));
    const file = await asyncBufferFromFile(pathOf(table));
    const { children } = parquetSchema(await parquetMetadataAsync(file));
    expect(children.map(({ element }) => element.name)).toEqual(Object.keys(types));
  });

  it('is compressed with Snappy in every column', async () => {
    const found = await duckdb(`SELECT DISTINCT compression FROM parquet_metadata('${pathOf(table)}')`);
    expect(found).toEqual([{ compression: 'SNAPPY' }]);
  });

  it('has as many rows for DuckDB', async () => {
    const [found] = await duckdb(
      `SELECT count(*)::INT AS n, count(DISTINCT event_id)::INT AS d FROM '${pathOf(table)}'`,
    );
    const expected = (await written(table)).length;
    expect(found).toEqual({ n: expected, d: expected });
  });
});
