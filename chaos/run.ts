import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '../src/devnet/random.ts';
import { cluster } from './scenarios/cluster.ts';
import { crashPoints } from './scenarios/crash-points.ts';
import { crawl } from './scenarios/crawl.ts';
import { diskFull } from './scenarios/disk-full.ts';
import { kill } from './scenarios/kill.ts';
import { dropped, emptied, halfCut, outage, restarts } from './scenarios/outage.ts';
import { poison } from './scenarios/poison.ts';
import { soak } from './scenarios/soak.ts';
import { endAll } from './support/processes.ts';
import type { ChaosContext, Outcome, Report, Scenario } from './support/scenario.ts';
import { lineOf, tableOf, verdictOf } from './support/telling.ts';

/**
 * Kills, cuts off, fills up and poisons the whole program, with real processes, and compares what is stored with a
 * ledger of its own. Exits 1 when anything is lost, repeated or broken.
 *
 * `node chaos/run.ts [scenario…] [--short] [--seed N] [--json] [--jobs N] [--minutes N] [--write] [--list]`
 */

const SCENARIOS: readonly Scenario[] = [
  kill,
  crawl,
  crashPoints,
  poison,
  outage,
  restarts,
  emptied,
  dropped,
  halfCut,
  cluster,
  diskFull,
  soak,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '60' },
    write: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
  },
});
const print = (text: string) => process.stdout.write(`${text}\n`);

const seed = Number(values.seed ?? Date.now() % 1_000_000);
const unknown = positionals.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown.length > 0 || !Number.isSafeInteger(seed) || values.list) {
  const list = SCENARIOS.map(({ name, about }) => `  ${name.padEnd(14)} ${about}`).join('\n');
  print(`${unknown.length > 0 ? `there is no scenario ${unknown.join(', ')}; ` : ''}scenarios:\n${list}`);
  process.exit(values.list ? 0 : 2);
}
const chosen = SCENARIOS.filter(({ name, onlyWhenNamed }) =>
  positionals.length === 0 ? onlyWhenNamed !== true : positionals.includes(name),
);

const beganMs = performance.now();
const root = await mkdtemp(join(tmpdir(), 'valtrack-chaos-'));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    process.stderr.write(`chaos: ${signal}, ending all processes\n`);
    // Whatever was started is killed, and unmounted, on the way out; nobody writes into the folder after that.
    process.once('exit', () => rmSync(root, { recursive: true, force: true, maxRetries: 3 }));
    process.exit(130);
  });
}
const reports: Report[] = [];
process.stderr.write(`chaos: seed ${seed}${values.short ? ', short form' : ''}\n`);
const waiting = [...chosen];
await Promise.all(Array.from({ length: Number(values.jobs) }, work));
const failed = reports.filter(({ ok }) => !ok);
const tookSeconds = Math.round((performance.now() - beganMs) / 1000);
const held = reports.filter((report) => verdictOf(report) === 'held').length;
if (!values.json) print(`\n${tableOf(reports)}\n\n${held} of ${reports.length} held, ${tookSeconds} s, seed ${seed}`);
if (failed.length === 0) await rm(root, { recursive: true, force: true });
else process.stderr.write(`chaos: what was stored, and the logs, are in ${root}\n`);
process.exit(failed.length === 0 ? 0 : 1);

async function work(): Promise<void> {
  for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift()) {
    const report = await runOne(scenario);
    reports.push(report);
    print(values.json ? JSON.stringify(report) : lineOf(report));
  }
}

async function runOne(scenario: Scenario): Promise<Report> {
  const startMs = performance.now();
  const dir = join(root, scenario.name);
  await mkdir(dir);
  const context: ChaosContext = {
    dir,
    random: (purpose) => seededRandom('chaos', scenario.name, purpose, seed),
    seed,
    short: values.short,
    minutes: Number(values.minutes),
    write: values.write,
    say: (text) => process.stderr.write(`  ${secondsSince(startMs)} ${scenario.name}: ${text}\n`),
  };
  const outcome = await scenario.run(context).catch((error: unknown): Outcome => {
    return {
      did: 'did not come to its end',
      figures: {},
      problems: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
    };
  });
  await endAll(dir);
  const ok = outcome.problems.length === 0;
  if (ok) await rm(dir, { recursive: true, force: true });
  return {
    scenario: scenario.name,
    seed,
    ok,
    ...outcome,
    seconds: Math.round((performance.now() - startMs) / 100) / 10,
  };
}

function secondsSince(startMs: number): string {
  return `${((performance.now() - startMs) / 1000).toFixed(1)} s`.padStart(8);
}
