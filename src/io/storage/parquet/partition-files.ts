import { randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type FileSteps, fileSteps } from './file-steps.ts';
import { fileName, folderOf, type Positions, parseFileName, partitionsIn } from './finished-files.ts';
import type { Partition, Staging } from './staging.ts';

export interface WrittenFile extends Partition {
  readonly path: string;
  readonly rows: number;
}

/** Rows that turned out to be in a file already, and left the staging table. */
export interface RecoveredRows extends Partition {
  readonly rows: number;
}

/**
 * Turns staged rows into finished files `DIR/<table>/date=<date>/<first>-<last>.parquet`, named after the first and last
 * staging position in them. Each row is in exactly one file, whatever happens in between:
 *
 * 1. a hidden file is written, and synced;
 * 2. it is renamed, and the folder is synced: from now on it is the truth;
 * 3. its rows leave the staging table.
 *
 * A crash before the rename leaves the rows and a hidden file to remove; a crash after it leaves a file whose range says
 * which rows to remove. {@link PartitionFiles.recover} does both, at start and after any failure.
 */
export interface PartitionFiles {
  recover(): Promise<RecoveredRows[]>;
  /** Writes the oldest `maxRows` rows of the partition; `null` when it has none. */
  writeOldest(partition: Partition, maxRows: number): Promise<WrittenFile | null>;
}

export interface PartitionFilesOptions {
  readonly directory: string;
  readonly staging: Staging;
  readonly steps?: FileSteps;
}

const HIDDEN_PREFIX = '.tmp-';
const PAGE_ROWS = 500;

export function partitionFiles({ directory, staging, steps = fileSteps }: PartitionFilesOptions): PartitionFiles {
  // One that was given up while the disk stood still may yet finish: it must not take a file of its successor for its own.
  const hiddenPrefix = `${HIDDEN_PREFIX}${randomBytes(6).toString('hex')}-`;
  const made = new Set<string>();

  /** A new folder is on stable storage only when the folders that name it are. */
  async function makeFolder(partition: Partition): Promise<string> {
    const folder = folderOf(directory, partition);
    if (made.has(folder)) return folder;
    await mkdir(folder, { recursive: true });
    for (const parent of [join(directory, partition.table), directory, dirname(directory)]) await steps.sync(parent);
    made.add(folder);
    return folder;
  }

  return {
    async recover() {
      const recovered: RecoveredRows[] = [];
      let highest = 0;
      for (const partition of await partitionsIn(directory)) {
        let rows = 0;
        for (const { first, last } of await finishedRanges(folderOf(directory, partition), steps)) {
          rows += await staging.remove(partition, first, last);
          highest = Math.max(highest, last);
        }
        if (rows > 0) recovered.push({ ...partition, rows });
      }
      // Only a lost database makes a difference here: its positions would start again and name other rows.
      await staging.continueAfter(highest);
      return recovered;
    },

    async writeOldest(partition, maxRows) {
      const folder = await makeFolder(partition);
      const first = (await staging.page(partition, 0, 1))[0]?.position;
      if (first === undefined) return null;
      const written = { last: first, rows: 0 };
      const hidden = join(folder, `${hiddenPrefix}${first}`);
      await steps.write(hidden, partition.table, oldestRows(staging, partition, maxRows, written));
      await steps.sync(hidden);
      const path = join(folder, fileName({ first, last: written.last }));
      await steps.publish(hidden, path);
      await steps.sync(folder);
      await staging.remove(partition, first, written.last);
      return { ...partition, path, rows: written.rows };
    },
  };
}

/** The rows themselves; `written` follows along. */
async function* oldestRows(
  staging: Staging,
  partition: Partition,
  maxRows: number,
  written: { last: number; rows: number },
): AsyncGenerator<object> {
  let after = 0;
  while (written.rows < maxRows) {
    const page = await staging.page(partition, after, Math.min(PAGE_ROWS, maxRows - written.rows));
    if (page.length === 0) return;
    for (const { position, row } of page) {
      yield JSON.parse(row) as object;
      after = position;
      written.last = position;
      written.rows++;
    }
  }
}

/** What the finished files in a folder hold; unfinished ones are removed on the way. */
async function finishedRanges(folder: string, steps: FileSteps): Promise<Positions[]> {
  const ranges: Positions[] = [];
  for (const name of await readdir(folder)) {
    if (name.startsWith(HIDDEN_PREFIX)) await steps.remove(join(folder, name));
    const positions = parseFileName(name);
    if (positions !== null) ranges.push(positions);
  }
  return ranges;
}
