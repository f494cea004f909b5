import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from '../files/disk-steps.ts';
import type { Partition } from './staging.ts';
import { TABLES } from './tables.ts';

/** First and last staging position of the rows in a file, both included. */
export interface Positions {
  readonly first: number;
  readonly last: number;
}

export interface FinishedFile extends Positions {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  /** When its newest row was stored. */
  readonly storedMs: number;
  /** Its rows have no addresses any more. */
  readonly isAnonymous: boolean;
}

const FINISHED = /^(\d+)-(\d+)(\.without-addresses)?\.parquet$/;
const DATE_FOLDER = /^date=(\d{4}-\d{2}-\d{2})$/;
const POSITION_DIGITS = 15;

export function folderOf(directory: string, { table, date }: Partition): string {
  return join(directory, table, `date=${date}`);
}

/** `<first>-<last>.parquet`, or `<first>-<last>.without-addresses.parquet`. */
export function fileName({ first, last }: Positions, isAnonymous = false): string {
  const [from, to] = [first, last].map((position) => String(position).padStart(POSITION_DIGITS, '0'));
  return `${from}-${to}${isAnonymous ? '.without-addresses' : ''}.parquet`;
}

/** `null` for the name of anything else. */
export function parseFileName(name: string): (Positions & { readonly isAnonymous: boolean }) | null {
  const match = FINISHED.exec(name);
  if (match === null) return null;
  return { first: Number(match[1]), last: Number(match[2]), isAnonymous: match[3] !== undefined };
}

/** Every partition that has a folder. */
export async function partitionsIn(directory: string): Promise<Partition[]> {
  const partitions: Partition[] = [];
  for (const table of TABLES) {
    const folder = join(directory, table);
    if (!(await exists(folder))) continue;
    for (const name of (await readdir(folder)).sort()) {
      const date = DATE_FOLDER.exec(name)?.[1];
      if (date !== undefined) partitions.push({ table, date });
    }
  }
  return partitions;
}

/** The finished files of a folder, in the order of their rows. */
export async function finishedFiles(folder: string): Promise<FinishedFile[]> {
  const files: FinishedFile[] = [];
  for (const name of await readdir(folder)) {
    const parsed = parseFileName(name);
    if (parsed === null) continue;
    const path = join(folder, name);
    const { size, mtimeMs } = await stat(path);
    files.push({ ...parsed, name, path, bytes: size, storedMs: mtimeMs });
  }
  return files.sort((a, b) => a.first - b.first);
}
