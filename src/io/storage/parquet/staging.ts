import type { SqliteDatabase } from '../sqlite/sqlite.ts';
import type { PartitionedRow } from './rows.ts';
import type { Table } from './tables.ts';

/** Rows of one table and day; they are written to files of their own. */
export interface Partition {
  readonly table: Table;
  readonly date: string;
}

export interface StagedPartition extends Partition {
  readonly rows: number;
}

export interface StagedRow {
  readonly position: number;
  /** JSON of the row. */
  readonly row: string;
}

/**
 * Rows that are durable but in no Parquet file yet, in the table `parquet_staging` beside the view: staging a row and
 * applying its event are one transaction.
 */
export interface Staging {
  /** Adds rows; call it inside the transaction that applies their events. */
  add(rows: readonly PartitionedRow[]): Promise<void>;
  partitions(): Promise<StagedPartition[]>;
  /** Rows of a partition behind `position`, oldest first. */
  page(partition: Partition, afterPosition: number, limit: number): Promise<StagedRow[]>;
  /** Removes the rows of a partition from `first` to `last`, and says how many there were. */
  remove(partition: Partition, first: number, last: number): Promise<number>;
  /** Makes every later position higher than `position`. */
  continueAfter(position: number): Promise<void>;
}

/**
 * @param writer the connection that applies events.
 * @param reader another one: it sees committed rows only, so no file ever holds what a rollback takes back.
 */
export function parquetStaging(writer: SqliteDatabase, reader: SqliteDatabase): Staging {
  return {
    async add(rows) {
      if (rows.length === 0) return;
      await writer.run(
        `INSERT INTO parquet_staging (table_name, date, row)
           SELECT value ->> 'table', value ->> 'date', value -> 'row' FROM json_each(?) ORDER BY key`,
        JSON.stringify(rows),
      );
    },
    partitions: () =>
      reader.all<StagedPartition>(
        `SELECT table_name AS "table", date, count(*) AS rows FROM parquet_staging GROUP BY table_name, date`,
      ),
    page: ({ table, date }, afterPosition, limit) =>
      reader.all<StagedRow>(
        `SELECT position, row FROM parquet_staging
           WHERE table_name = ? AND date = ? AND position > ? ORDER BY position LIMIT ?`,
        table,
        date,
        afterPosition,
        limit,
      ),
    remove: ({ table, date }, first, last) =>
      writer.transaction(async () => {
        const { changes } = await writer.run(
          'DELETE FROM parquet_staging WHERE table_name = ? AND date = ? AND position BETWEEN ? AND ?',
          table,
          date,
          first,
          last,
        );
        return changes;
      }),
    continueAfter: (position) =>
      writer.transaction(async () => {
        const { changes } = await writer.run(
          `UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'parquet_staging'`,
          position,
        );
        if (changes === 0) {
          await writer.run(`INSERT INTO sqlite_sequence (name, seq) VALUES ('parquet_staging', ?)`, position);
        }
      }),
  };
}
