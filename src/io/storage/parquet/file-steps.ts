import { type FileHandle, open, utimes } from 'node:fs/promises';
import parquet, { type OutputStream } from 'parquetjs-lite';
import { type DiskSteps, diskSteps } from '../files/disk-steps.ts';
import { schemaOf, type Table } from './tables.ts';

/** What it takes to bring a Parquet file into being, and to be rid of one; tests stop between any two of them. */
export interface FileSteps extends DiskSteps {
  /** Writes a whole file. The rows have the shape of the table. */
  write(path: string, table: Table, rows: AsyncIterable<object>): Promise<void>;
  /** Sets when a file was modified. */
  stamp(path: string, modifiedMs: number): Promise<void>;
}

/** Of a kind that is encoded in a tenth of a second: nothing else happens meanwhile. */
const ROW_GROUP_ROWS = 2_000;

export const fileSteps: FileSteps = {
  ...diskSteps,

  async write(path, table, rows) {
    const handle = await open(path, 'w');
    const output = outputTo(handle);
    try {
      const writer = await parquet.ParquetWriter.openStream(schemaOf(table), output.stream, {
        rowGroupSize: ROW_GROUP_ROWS,
        useDataPageV2: false,
        pageIndex: false,
      });
      for await (const row of rows) {
        await errorsOf(() => writer.appendRow(row));
        output.check();
      }
      await errorsOf(() => writer.close());
      output.check();
    } finally {
      await output.written();
      await handle.close();
    }
  },

  stamp: (path, modifiedMs) => utimes(path, new Date(modifiedMs), new Date(modifiedMs)),
};

/**
 * Where the package writes to. It waits for none of its first writes, so that a full disk would be an error that nobody
 * catches: the first failure is kept here, and thrown by `check`.
 */
function outputTo(handle: FileHandle): {
  readonly stream: OutputStream;
  check(): void;
  written(): Promise<void>;
} {
  let failure: Error | null = null;
  let writing = Promise.resolve();
  const after = (work: () => Promise<void>, done: () => void) => {
    writing = writing
      .then(async () => {
        if (failure === null) await work();
      })
      .catch((error: Error) => {
        failure = error;
      })
      .then(done);
  };
  return {
    stream: {
      write: (bytes, done) => after(() => handle.appendFile(bytes), done),
      end: (done) => after(async () => {}, done),
    },
    check() {
      if (failure !== null) throw failure;
    },
    written: () => writing,
  };
}

/** The package throws texts. */
async function errorsOf<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Error ? error : new Error(`Parquet: ${String(error)}`);
  }
}

/** How many rows a file says it has. */
export async function rowCount(path: string): Promise<number> {
  const reader = await errorsOf(() => parquet.ParquetReader.openFile(path));
  try {
    return Number(reader.getRowCount());
  } finally {
    await reader.close();
  }
}

/** The rows of a file, in their order; throws when they are not as many as it says. */
export async function* readRows(path: string): AsyncGenerator<Record<string, unknown>> {
  const reader = await errorsOf(() => parquet.ParquetReader.openFile(path));
  try {
    const cursor = reader.getCursor();
    let rows = 0;
    for (let row = await errorsOf(() => cursor.next()); row !== null; row = await errorsOf(() => cursor.next())) {
      rows++;
      yield row;
    }
    if (rows !== Number(reader.getRowCount())) {
      throw new Error(`${path} has ${rows} rows, and says ${Number(reader.getRowCount())}`);
    }
  } finally {
    await reader.close();
  }
}
