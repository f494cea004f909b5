import type { Table } from '../../src/io/storage/parquet/tables.ts';

/** Columns of the Parquet tables that the Go program's readers know, in their order, with their types for DuckDB. */
export const GO_COLUMNS: Readonly<Record<Table, Readonly<Record<string, string>>>> = {
  discovery_events: {
    enr: 'VARCHAR',
    id: 'VARCHAR',
    ip: 'VARCHAR',
    port: 'INTEGER',
    crawler_id: 'VARCHAR',
    crawler_location: 'VARCHAR',
    timestamp: 'BIGINT',
  },
  metadata_events: {
    enr: 'VARCHAR',
    id: 'VARCHAR',
    multiaddr: 'VARCHAR',
    epoch: 'INTEGER',
    metadata: 'STRUCT(seq_number BIGINT, attnets VARCHAR, syncnets VARCHAR)',
    subscribed_subnets: 'BIGINT[]',
    client_version: 'VARCHAR',
    crawler_id: 'VARCHAR',
    crawler_location: 'VARCHAR',
    timestamp: 'BIGINT',
  },
  validator_metadata_events: {
    enr: 'VARCHAR',
    id: 'VARCHAR',
    multiaddr: 'VARCHAR',
    epoch: 'INTEGER',
    seq_number: 'BIGINT',
    attnets: 'VARCHAR',
    syncnets: 'VARCHAR',
    long_lived_subnets: 'BIGINT[]',
    subscribed_subnets: 'BIGINT[]',
    client_version: 'VARCHAR',
    crawler_id: 'VARCHAR',
    crawler_location: 'VARCHAR',
    timestamp: 'BIGINT',
  },
};
