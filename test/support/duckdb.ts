import { DuckDBInstance } from '@duckdb/node-api';

let shared: Promise<DuckDBInstance> | undefined;

/** Runs one query in a DuckDB in memory; integers of 64 bits come back as texts. */
export async function duckdb(sql: string): Promise<Record<string, unknown>[]> {
  shared ??= DuckDBInstance.create(':memory:');
  const connection = await (await shared).connect();
  try {
    return (await connection.runAndReadAll(sql)).getRowObjectsJson() as Record<string, unknown>[];
  } finally {
    connection.closeSync();
  }
}

/** Names and types of the columns a query gives. */
export async function duckdbTypes(sql: string): Promise<Record<string, string>> {
  const rows = await duckdb(`DESCRIBE ${sql}`);
  return Object.fromEntries(rows.map((row) => [String(row['column_name']), String(row['column_type'])]));
}
