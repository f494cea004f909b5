import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { duckdb } from '../../test/support/duckdb.ts';
import type { Row } from './expected.ts';

/** The Parquet files of a data folder, read by DuckDB. */
export interface StoredFiles {
  readonly files: number;
  /** What is wrong with files: those that cannot be read, are unfinished, have odd names or overlapping ranges. */
  readonly broken: readonly string[];
  /** All rows of a table; a table without files has none. */
  rows(table: string): Promise<Row[]>;
}

const TABLES = ['discovery_events', 'metadata_events', 'validator_metadata_events'];
const NAME = /^(\d+)-(\d+)\.parquet$/;

/** @param isAtRest whether nobody is writing, so that there must not be unfinished files */
export async function storedFiles(dataDir: string, { isAtRest = true } = {}): Promise<StoredFiles> {
  const root = join(dataDir, 'parquet');
  const broken: string[] = [];
  const pathsOf = new Map<string, string[]>();
  for (const table of TABLES) {
    const paths: string[] = [];
    pathsOf.set(table, paths);
    for (const partition of await namesIn(join(root, table))) {
      const folder = join(root, table, partition);
      const names = (await namesIn(folder)).filter((name) => isAtRest || !name.startsWith('.'));
      broken.push(...oddNames(names).map((reason) => `${table}/${partition}: ${reason}`));
      paths.push(...names.filter((name) => NAME.test(name)).map((name) => join(folder, name)));
    }
    for (const path of paths) {
      await duckdb(`SELECT count(*) FROM (SELECT * FROM read_parquet('${path}'))`).catch((error: unknown) => {
        broken.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
      });
    }
  }
  return {
    files: [...pathsOf.values()].reduce((sum, paths) => sum + paths.length, 0),
    broken,
    async rows(table) {
      if (pathsOf.get(table)?.length === 0) return [];
      return duckdb(
        `SELECT * EXCLUDE (date) FROM read_parquet('${root}/${table}/*/*.parquet', hive_partitioning = true)`,
      );
    },
  };
}

function oddNames(names: readonly string[]): string[] {
  const odd = names.filter((name) => !NAME.test(name)).map((name) => `${name} is no finished file`);
  const ranges = names
    .flatMap((name) => {
      const match = NAME.exec(name);
      return match === null ? [] : [{ name, first: Number(match[1]), last: Number(match[2]) }];
    })
    .sort((a, b) => a.first - b.first);
  const overlaps = ranges.flatMap((range, index) => {
    const before = ranges[index - 1];
    return before !== undefined && before.last >= range.first ? [`${before.name} and ${range.name} overlap`] : [];
  });
  return [...odd, ...overlaps];
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
