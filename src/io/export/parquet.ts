import parquet, { type GroupField, type LeafField } from 'parquetjs-lite';
import type { ColumnKind, ViewColumn } from '../storage/tracker/view-columns.ts';
import type { ValidatorRecord } from '../storage/tracker/view-reader.ts';

const ROW_GROUP_ROWS = 5_000;

const leaf = (type: LeafField['type']): LeafField => ({
  type,
  optional: true,
  compression: 'SNAPPY',
  statistics: false,
});

const FIELDS: Readonly<Record<ColumnKind, LeafField | GroupField>> = {
  text: leaf('UTF8'),
  integer: leaf('INT64'),
  real: leaf('DOUBLE'),
  boolean: leaf('BOOLEAN'),
  integers: {
    type: 'LIST',
    optional: true,
    fields: { list: { repeated: true, fields: { element: { ...leaf('INT64'), optional: false } } } },
  },
};

/** A Parquet file with the columns in their types, a few thousand rows in memory at a time. */
export async function* parquetChunks(
  pages: AsyncIterable<readonly ValidatorRecord[]>,
  columns: readonly ViewColumn[],
): AsyncGenerator<Uint8Array> {
  const written: Uint8Array[] = [];
  // The package's own way to write to a stream does not wait for the header, so that its failure would end the program.
  const sink = {
    write(chunk: Uint8Array, done: () => void) {
      written.push(chunk);
      done();
    },
    end: (done: () => void) => done(),
  };
  const fields = Object.fromEntries(columns.map(({ name, kind }) => [name, FIELDS[kind]]));
  const writer = await parquet.ParquetWriter.openStream(new parquet.ParquetSchema(fields), sink, {
    rowGroupSize: ROW_GROUP_ROWS,
    useDataPageV2: false,
    pageIndex: false,
  });
  for await (const page of pages) {
    for (const record of page) await writer.appendRow(rowOf(record, columns));
    yield* written.splice(0);
  }
  await writer.close();
  yield* written;
}

function rowOf(record: ValidatorRecord, columns: readonly ViewColumn[]): object {
  return Object.fromEntries(columns.map(({ name, kind }) => [name, parquetValue(record[name] ?? null, kind)]));
}

function parquetValue(value: unknown, kind: ColumnKind): unknown {
  if (kind !== 'integers' || value === null) return value;
  return { list: (value as readonly number[]).map((element) => ({ element })) };
}
