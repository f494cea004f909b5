import { DuckDBInstance } from '@duckdb/node-api';

/** Runs one query in a DuckDB of its own; integers of 64 bits come back as texts. */
export async function duckdb(sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRowObjectsJson() as Record<string, unknown>[];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Names and types of the columns a query gives. */
export async function duckdbTypes(sql: string): Promise<Record<string, string>> {
  const rows = await duckdb(`DESCRIBE ${sql}`);
  return Object.fromEntries(rows.map((row) => [String(row['column_name']), String(row['column_type'])]));
}
