import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { exists } from '../files/disk-steps.ts';
import type { SqliteDatabase } from '../sqlite/sqlite.ts';
import { type FileSteps, fileSteps, readRows, rowCount } from './file-steps.ts';
import { type FinishedFile, fileName, folderOf, partitionsIn } from './finished-files.ts';
import type { Partition } from './staging.ts';
import type { Table } from './tables.ts';

/**
 * Puts one file in the place of several. No file system changes several names at once, so a table says what is under way:
 *
 * 1. a hidden file with all the rows is written, checked and synced;
 * 2. the table `parquet_replacements` says which files it replaces;
 * 3. it gets its name, and the folder is synced;
 * 4. the old files are removed, and the folder is synced;
 * 5. the table forgets it.
 *
 * After a crash {@link Replacements.recover} removes the old files if the new one has its name, and else leaves them.
 * Between 3 and 4, for some milliseconds or from a crash to the next start, readers see rows twice, with the same
 * `event_id`; they never miss one.
 */
export interface Replacements {
  /** Ends what was interrupted; call it at start, and after a failure before anything else. */
  recover(): Promise<void>;
  /** @param files neighbours in the partition, in the order of their rows */
  replace(
    partition: Partition,
    files: readonly FinishedFile[],
    options: { readonly isAnonymous: boolean; readonly signal: AbortSignal },
  ): Promise<void>;
}

export interface ReplacementsOptions {
  readonly directory: string;
  /** The connection that writes the view. */
  readonly database: SqliteDatabase;
  readonly steps?: FileSteps;
}

interface ReplacementRow {
  readonly id: number;
  readonly table: Table;
  readonly date: string;
  readonly new_name: string;
  /** JSON array. */
  readonly old_names: string;
}

/** Not the prefix of files on their way from the staging table: either may be at work while the other recovers. */
const HIDDEN_PREFIX = '.merge-';

const ROWS_A_TURN = 200;

export function parquetReplacements({ directory, database, steps = fileSteps }: ReplacementsOptions): Replacements {
  const removeOld = async (folder: string, names: readonly string[]) => {
    for (const name of names) await steps.remove(join(folder, name));
    await steps.sync(folder);
  };
  const forget = (id: number) =>
    database.transaction(async () => {
      await database.run('DELETE FROM parquet_replacements WHERE id = ?', id);
    });

  return {
    async recover() {
      const rows = await database.all<ReplacementRow>(
        'SELECT id, table_name AS "table", date, new_name, old_names FROM parquet_replacements ORDER BY id',
      );
      for (const { id, new_name, old_names, ...partition } of rows) {
        const folder = folderOf(directory, partition);
        if (await exists(join(folder, new_name))) {
          await steps.sync(folder);
          await removeOld(folder, JSON.parse(old_names) as string[]);
        }
        await forget(id);
      }
      for (const partition of await partitionsIn(directory)) {
        const folder = folderOf(directory, partition);
        for (const name of await readdir(folder)) {
          if (name.startsWith(HIDDEN_PREFIX)) await steps.remove(join(folder, name));
        }
      }
    },

    async replace(partition, files, { isAnonymous, signal }) {
      const [first, last] = [files[0], files.at(-1)];
      if (first === undefined || last === undefined) return;
      const folder = folderOf(directory, partition);
      const name = fileName({ first: first.first, last: last.last }, isAnonymous);
      const hidden = join(folder, `${HIDDEN_PREFIX}${name}`);
      try {
        const counted = { rows: 0 };
        await steps.write(hidden, partition.table, rowsOf(files, isAnonymous, signal, counted));
        if ((await rowCount(hidden)) !== counted.rows) throw new Error(`${hidden} has lost rows`);
        await steps.stamp(hidden, Math.max(...files.map(({ storedMs }) => storedMs)));
        await steps.sync(hidden);
      } catch (error) {
        await steps.remove(hidden);
        throw error;
      }
      const oldNames = files.map((file) => file.name);
      const { lastId } = await database.transaction(() =>
        database.run(
          'INSERT INTO parquet_replacements (table_name, date, new_name, old_names) VALUES (?, ?, ?, ?)',
          partition.table,
          partition.date,
          name,
          JSON.stringify(oldNames),
        ),
      );
      await steps.publish(hidden, join(folder, name));
      await steps.sync(folder);
      await removeOld(folder, oldNames);
      await forget(lastId);
    },
  };
}

/** The rows of all files; `counted` follows along. */
async function* rowsOf(
  files: readonly FinishedFile[],
  isAnonymous: boolean,
  signal: AbortSignal,
  counted: { rows: number },
): AsyncGenerator<object> {
  for (const { path } of files) {
    for await (const row of readRows(path)) {
      signal.throwIfAborted();
      // Nothing hurries here: whatever else there is to do has its turn.
      if (counted.rows++ % ROWS_A_TURN === 0) await setImmediate();
      yield isAnonymous ? withoutAddresses(row) : row;
    }
  }
}

/** What tells where a node was; that, when and how it was seen stays. */
function withoutAddresses(row: Record<string, unknown>): object {
  const { enr: _enr, ip, multiaddr, ...rest } = row;
  return {
    ...rest,
    enr: '',
    ...(ip === undefined ? {} : { ip: '', port: 0 }),
    ...(multiaddr === undefined ? {} : { multiaddr: '' }),
  };
}
