import parquet, { type GroupField, type LeafField } from 'parquetjs-lite';

/**
 * The three Parquet tables. Names, order and types of the first columns are those of the Go program, except that bit
 * vectors of `metadata_events` are hex texts (the Go program's are unreadable); our own columns follow and are optional.
 */
export const TABLES = ['discovery_events', 'metadata_events', 'validator_metadata_events'] as const;
export type Table = (typeof TABLES)[number];

/** Statistics are kept where they let a reader skip row groups; elsewhere they only cost. */
const text: LeafField = { type: 'UTF8', compression: 'SNAPPY', statistics: false };
const int32: LeafField = { type: 'INT32', compression: 'SNAPPY' };
const int64: LeafField = { type: 'INT64', compression: 'SNAPPY', statistics: false };
const timestamp: LeafField = { type: 'INT64', compression: 'SNAPPY' };
const listOf = (element: LeafField): GroupField => {
  return { type: 'LIST', fields: { list: { repeated: true, fields: { element } } } };
};
const listOfInt64 = listOf(int64);

const crawlerColumns = { crawler_id: text, crawler_location: text, timestamp };

const optionalColumns = {
  event_id: { ...text, optional: true },
  slot: { ...int64, optional: true },
  observed_from: { ...int64, optional: true },
  observed_to: { ...int64, optional: true },
  fork_digest: { ...text, optional: true },
  custody_group_count: { ...int64, optional: true },
  direction: { ...text, optional: true },
  transport: { ...text, optional: true },
};

/** Of observations by this program. */
const observationColumns = {
  subscribed_syncnets: { ...listOf(int64), optional: true },
  data_column_topics: { ...int64, optional: true },
  current_subnets: { ...listOf(int64), optional: true },
  missing: { ...listOf(text), optional: true },
};

const columns: Readonly<Record<Table, Readonly<Record<string, LeafField | GroupField>>>> = {
  discovery_events: { enr: text, id: text, ip: text, port: int32, ...crawlerColumns, ...optionalColumns },
  metadata_events: {
    enr: text,
    id: text,
    multiaddr: text,
    epoch: int32,
    metadata: { optional: true, fields: { seq_number: int64, attnets: text, syncnets: text } },
    subscribed_subnets: listOfInt64,
    client_version: text,
    ...crawlerColumns,
    ...optionalColumns,
    ...observationColumns,
  },
  validator_metadata_events: {
    enr: text,
    id: text,
    multiaddr: text,
    epoch: int32,
    seq_number: int64,
    attnets: text,
    syncnets: text,
    long_lived_subnets: listOfInt64,
    subscribed_subnets: listOfInt64,
    client_version: text,
    ...crawlerColumns,
    ...optionalColumns,
    ...observationColumns,
  },
};

export function schemaOf(table: Table): InstanceType<typeof parquet.ParquetSchema> {
  return new parquet.ParquetSchema(columns[table]);
}
