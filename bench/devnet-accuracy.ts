import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openTracker } from '../src/io/storage/tracker/database.ts';
import { networkFigures } from '../src/io/storage/tracker/network-figures.ts';

/**
 * Runs the program on a devnet of its own and holds every estimate against the truth.
 *
 *     node bench/devnet-accuracy.ts [--nodes 100] [--epochs 60] [--slot-ms 250] [--seed 1] [--faults]
 *
 * With `--faults` the devnet has nodes of every kind. Those that subscribe to all subnets and keep all custody groups tell nothing about
 * their validators, and are counted apart.
 *
 * Prints the two figures that count: how far the sum over the network is from the truth (at most 10 %), and how many nodes have the
 * truth inside their 90 % interval (at least 85 %).
 */

const argument = (name: string, fallback: number) => {
  const index = process.argv.indexOf(`--${name}`);
  return index === -1 ? fallback : Number(process.argv[index + 1]);
};
const NODES = argument('nodes', 100);
const EPOCHS = argument('epochs', 60);
const SLOT_MS = argument('slot-ms', 250);
const SEED = argument('seed', 1);
const FAULTS = process.argv.includes('--faults');
const SLOTS_PER_EPOCH = 32;
const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const METHODS = ['published', 'legacy', 'subnets', 'custody', 'combined'];

interface TrueNode {
  readonly peer_id: string;
  readonly client: string;
  readonly validators: number;
  readonly stake_eth: number;
  readonly behaviour: string;
  readonly custody_group_count: number;
  readonly traits?: readonly string[];
}

interface Estimated {
  readonly peer_id: string;
  readonly validators_estimate: number | null;
  readonly validators_low: number;
  readonly validators_high: number | null;
  readonly stake_eth_low: number | null;
  readonly stake_eth_high: number | null;
  readonly estimate_flags: string;
  readonly estimate_observations: number;
}

/** How the program ended: what it saw is judged however that was. */
async function crawl(dir: string, dataDir: string): Promise<string | null> {
  const seconds = Math.ceil((EPOCHS * SLOTS_PER_EPOCH * SLOT_MS) / 1_000);
  const options = {
    nodes: NODES,
    seed: SEED,
    'slot-ms': SLOT_MS,
    dir,
    'data-dir': dataDir,
    'http-port': 0,
    faults: FAULTS,
  };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const command = [CLI, 'run', '--network', 'devnet', '--for', `${seconds}s`, '--log-level', 'warn', ...flags];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return code === 0 ? null : `the program ended with ${code ?? signal}`;
}

const percent = (part: number) => `${(100 * part).toFixed(1)} %`;
const pad = (value: unknown, width: number) => String(value).padStart(width);

const folder = await mkdtemp(join(tmpdir(), 'valtrack-bench-'));
try {
  const [dir, dataDir] = [join(folder, 'devnet'), join(folder, 'data')];
  const failure = await crawl(dir, dataDir);
  const { nodes } = JSON.parse(await readFile(join(dir, 'network.json'), 'utf8')) as { nodes: TrueNode[] };
  const tracker = await openTracker(dataDir);
  const rows = await tracker.reader.all<Estimated>(
    `SELECT peer_id, validators_estimate, validators_low, validators_high, stake_eth_low, stake_eth_high, estimate_flags,
       estimate_observations FROM validator_tracker`,
  );
  const sums = await tracker.reader.all<{ method: string; total: number; nodes: number }>(
    'SELECT method, total(estimate) AS total, count(estimate) AS nodes FROM validator_estimates GROUP BY method',
  );
  const everything = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
  const windows = await networkFigures(tracker.reader, null).calibration(everything);
  await tracker.close();

  const honest = nodes.filter(({ behaviour }) => behaviour === 'honest');
  const byPeer = new Map(rows.map((row) => [row.peer_id, row]));
  let [truth, untold, untoldNodes] = [0, 0, 0];
  let [covered, stakeCovered, observed, estimated, observations] = [0, 0, 0, 0, 0];
  console.log('client      validators  estimate    90 % interval  cgc   stake  looks  flags');
  for (const node of [...honest].sort((a, b) => a.validators - b.validators)) {
    const row = byPeer.get(node.peer_id);
    const isTold = row === undefined || row.validators_estimate !== null || row.validators_low > 0;
    truth += isTold ? node.validators : 0;
    untold += isTold ? 0 : node.validators;
    untoldNodes += isTold ? 0 : 1;
    if (row === undefined) {
      console.log(`${node.client.padEnd(10)}  ${pad(node.validators, 10)}  never observed`);
      continue;
    }
    observed++;
    observations += row.estimate_observations;
    const { validators_estimate: estimate, validators_low: low, validators_high: high } = row;
    estimated += estimate ?? low;
    const isCovered = low <= node.validators && node.validators <= (high ?? Number.POSITIVE_INFINITY);
    covered += isCovered ? 1 : 0;
    const stakeHigh = row.stake_eth_high ?? Number.POSITIVE_INFINITY;
    stakeCovered += (row.stake_eth_low ?? 0) <= node.stake_eth && node.stake_eth <= stakeHigh ? 1 : 0;
    const figures = [
      node.client.padEnd(10),
      pad(node.validators, 10),
      pad(estimate?.toFixed(1) ?? '-', 8),
      pad(`${low.toFixed(1)} .. ${high?.toFixed(1) ?? '∞'}`, 15),
      pad(node.custody_group_count, 3),
      pad(node.stake_eth, 6),
      pad(row.estimate_observations, 5),
    ];
    console.log(
      `${figures.join('  ')}  ${row.estimate_flags} ${node.traits?.join(',') ?? ''}${isCovered ? '' : '  MISSED'}`,
    );
  }
  console.log(
    `\n${observed} of ${honest.length} honest nodes observed, ${(observations / observed).toFixed(1)} times on average`,
  );
  for (const method of METHODS) {
    const sum = sums.find((row) => row.method === method);
    console.log(
      `${method.padEnd(9)}  ${pad(sum?.total.toFixed(0), 7)} of ${truth + untold} validators, from ${sum?.nodes} nodes`,
    );
  }
  if (untoldNodes > 0) console.log(`${untold} validators are behind ${untoldNodes} nodes that tell nothing about them`);
  for (const { client, nodes: pinned, assumedSlots, calibratedSlots, low, high } of windows) {
    const bounds = `${low.toFixed(1)} .. ${high?.toFixed(1) ?? '∞'}`;
    console.log(
      `window of ${client.padEnd(10)}  assumed ${pad(assumedSlots, 4)} slots, by ${pinned} nodes ${calibratedSlots.toFixed(1)}, ${bounds}`,
    );
  }
  console.log(`sum of combined over the network: ${percent(Math.abs(estimated - truth) / truth)} from the truth`);
  console.log(`nodes with the truth inside their 90 % interval: ${percent(covered / observed)}`);
  console.log(`nodes with their stake inside its bounds: ${percent(stakeCovered / observed)}`);
  if (failure !== null) console.log(`FAILED: ${failure}`);
  const isRight = Math.abs(estimated - truth) <= 0.1 * truth && covered >= 0.85 * observed;
  process.exitCode = isRight && failure === null ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
