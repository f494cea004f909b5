import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { type Corpus, keep, readCorpus, writeCorpus } from '../test/fuzz/corpus.ts';
import type { FuzzTarget } from '../test/fuzz/target.ts';
import { FUZZ_TARGETS } from '../test/fuzz/targets.ts';

/**
 * Feeds all that reads strangers' bytes with inputs of every kind, and says what was found.
 * `node bench/fuzz.ts [--minutes 10] [--seed N] [--only name] [--keep]`
 * `--keep` writes inputs that are read in a new way to `test/fixtures/fuzz/`, where the test suite finds them.
 */

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    only: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const RUNS_PER_ROUND = 500;
/** Code is compiled and caches are filled in the first part; memory is compared from there on. */
const WARM_UP_PART = 0.2;

const firstSeed = Number(values.seed);
const targets = FUZZ_TARGETS.filter(({ name }) => values.only === undefined || name === values.only);
const startedMs = performance.now();
const durationMs = Number(values.minutes) * 60_000;
const corpora = new Map<string, Corpus>();
for (const { name } of targets) corpora.set(name, await readCorpus(name));
const inputs = new Map<string, number>(targets.map(({ name }) => [name, 0]));
let found = 0;
let afterWarmUp: Memory | null = null;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

interface Memory {
  readonly heapMb: number;
  readonly rssMb: number;
}

function memory(): Memory {
  collectGarbage();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapMb: Math.round((heapUsed + external) / 1e6), rssMb: Math.round(rss / 1e6) };
}

process.on('unhandledRejection', (error) => fail('a rejection that nobody handles', String(error)));

function fail(what: string, detail: string): never {
  console.log(`FAILED ${what}\n${detail}`);
  process.exit(1);
}

async function round({ name, input, check }: FuzzTarget, seed: number): Promise<void> {
  const corpus = corpora.get(name) ?? new Map();
  const property = fc.asyncProperty(input, async (bytes) => {
    const outcome = await check(bytes);
    if (keep(corpus, outcome, bytes)) found++;
  });
  const result = await fc.check(property, { seed, numRuns: RUNS_PER_ROUND });
  inputs.set(name, (inputs.get(name) ?? 0) + result.numRuns);
  if (!result.failed) return;
  const hex = Buffer.from(result.counterexample?.[0] ?? new Uint8Array(0)).toString('hex');
  fail(`${name}, seed ${seed}, path ${result.counterexamplePath}, input ${hex}`, String(result.errorInstance));
}

console.log(`fuzzing ${targets.length} readers for ${values.minutes} minutes, seed ${firstSeed}`);
let rounds = 0;
while (performance.now() - startedMs < durationMs) {
  for (const target of targets) await round(target, firstSeed + rounds);
  rounds++;
  if (afterWarmUp === null && performance.now() - startedMs > WARM_UP_PART * durationMs) afterWarmUp = memory();
}

for (const { name } of targets) {
  const corpus = corpora.get(name) ?? new Map();
  console.log(`${name.padEnd(20)} ${String(inputs.get(name)).padStart(9)} inputs, read in ${corpus.size} ways`);
  if (values.keep) await writeCorpus(name, corpus);
}
const total = [...inputs.values()].reduce((sum, count) => sum + count, 0);
const atEnd = memory();
console.log(
  `${total} inputs in ${rounds} rounds, seeds ${firstSeed} to ${firstSeed + rounds - 1}: nothing thrown, no promise ` +
    `broken; ${found} inputs better than what was kept`,
);
console.log(
  `heap ${afterWarmUp?.heapMb} MB after the warm-up, ${atEnd.heapMb} MB at the end; ` +
    `RSS ${afterWarmUp?.rssMb} MB after the warm-up, ${atEnd.rssMb} MB at the end`,
);
