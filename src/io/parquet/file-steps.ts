import { open, rename, stat } from 'node:fs/promises';
import parquet from 'parquetjs-lite';
import { schemaOf, type Table } from './tables.ts';

/** What it takes to bring a Parquet file into being; tests stop between any two of them. */
export interface FileSteps {
  /** Writes a whole file. `rows` are JSON texts in the shape of the table. */
  write(path: string, table: Table, rows: AsyncIterable<string>): Promise<void>;
  /** Puts a file or a folder on stable storage. */
  sync(path: string): Promise<void>;
  /** Gives a finished file its name. Rejects when the name is taken. */
  publish(from: string, to: string): Promise<void>;
}

const ROW_GROUP_ROWS = 5_000;

export const fileSteps: FileSteps = {
  async write(path, table, rows) {
    const writer = await parquet.ParquetWriter.openFile(schemaOf(table), path, {
      rowGroupSize: ROW_GROUP_ROWS,
      useDataPageV2: false,
      pageIndex: false,
    });
    try {
      for await (const row of rows) await appendRow(writer, row);
    } finally {
      await writer.close();
    }
  },

  async sync(path) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },

  async publish(from, to) {
    if (await exists(to)) throw new Error(`${to} exists already and is not overwritten`);
    await rename(from, to);
  },
};

type Writer = InstanceType<typeof parquet.ParquetWriter>;

async function appendRow(writer: Writer, row: string): Promise<void> {
  try {
    await writer.appendRow(JSON.parse(row) as object);
  } catch (error) {
    // The package throws texts.
    throw error instanceof Error ? error : new Error(`row refused: ${String(error)}`);
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
