import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Inputs worth keeping: the smallest that was found for each way of being read, in hex by its outcome. */
export type Corpus = Map<string, Uint8Array>;

const FOLDER = new URL('../fixtures/fuzz/', import.meta.url);
const MAX_KEPT = 40;
const MAX_KEPT_BYTES = 600;

/** @returns true when it is kept */
export function keep(corpus: Corpus, outcome: string, input: Uint8Array): boolean {
  const before = corpus.get(outcome);
  const better = before === undefined ? corpus.size < MAX_KEPT : input.length < before.length;
  if (!better || input.length > MAX_KEPT_BYTES) return false;
  corpus.set(outcome, new Uint8Array(input));
  return true;
}

/** Empty when nothing has been kept yet. */
export async function readCorpus(target: string): Promise<Corpus> {
  const names = await readdir(fileURLToPath(FOLDER));
  if (!names.includes(`${target}.json`)) return new Map();
  const kept = JSON.parse(await readFile(new URL(`${target}.json`, FOLDER), 'utf8')) as Record<string, string>;
  return new Map(Object.entries(kept).map(([outcome, hex]) => [outcome, new Uint8Array(Buffer.from(hex, 'hex'))]));
}

export async function writeCorpus(target: string, corpus: Corpus): Promise<void> {
  const sorted = [...corpus].sort(([a], [b]) => (a < b ? -1 : 1));
  const kept = Object.fromEntries(sorted.map(([outcome, input]) => [outcome, Buffer.from(input).toString('hex')]));
  await writeFile(new URL(`${target}.json`, FOLDER), `${JSON.stringify(kept, null, 2)}\n`);
}
