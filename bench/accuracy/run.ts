import { mkdir, writeFile } from 'node:fs/promises';
import { CLIENT_NAMES, type ClientName, seededRandom, watchNode } from './generator.ts';
import { judge, METHODS, type Method } from './judge.ts';
import { drawPlot } from './plot.ts';

/**
 * Truth against each estimator, from simulated observations: prints a table and writes one plot a network size.
 *
 *     node bench/accuracy/run.ts [--nodes 200] [--out docs/accuracy]
 */

const COUNTS = [0, 1, 3, 10, 30, 100, 300, 1000, 3000];
/** A node cannot have more validators than a tenth of its network, or it would be the network. */
const LARGEST_SHARE = 0.1;
const NETWORK_SIZES = [1_000_000, 300_000, 2_000];
const EPOCHS = 225;

export interface Cell {
  readonly activeValidators: number;
  readonly client: ClientName;
  readonly validators: number;
  readonly method: Method;
  readonly mean: number;
  /** Middle half of the estimates. */
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
  /** Median of |estimate - truth| / max(truth, 1). */
  readonly medianError: number;
  /** Mean of (estimate - truth) / max(truth, 1). */
  readonly bias: number;
  /** Share of intervals that hold the truth; `null` for methods without intervals. */
  readonly coverage: number | null;
}

function argument(name: string, fallback: string): string {
  const index = process.argv.indexOf(`--${name}`);
  return index === -1 ? fallback : (process.argv[index + 1] ?? fallback);
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

function cellsFor(activeValidators: number, client: ClientName, validators: number, nodes: number): Cell[] {
  const random = seededRandom(activeValidators + validators * 31 + client.length * 7919 + client.charCodeAt(0));
  const verdicts = Array.from({ length: nodes }, () =>
    judge(watchNode({ client, validators, activeValidators, epochs: EPOCHS, random }), activeValidators),
  );
  return METHODS.map((method) => {
    const estimates = verdicts.map((verdict) => verdict[method].validators).sort((a, b) => a - b);
    const unit = Math.max(validators, 1);
    const mean = estimates.reduce((total, value) => total + value, 0) / nodes;
    const errors = estimates.map((value) => Math.abs(value - validators) / unit).sort((a, b) => a - b);
    const covered = verdicts.map((verdict) => verdict[method].covered);
    return {
      activeValidators,
      client,
      validators,
      method,
      mean,
      lowerQuartile: quantile(estimates, 0.25),
      upperQuartile: quantile(estimates, 0.75),
      medianError: quantile(errors, 0.5),
      bias: (mean - validators) / unit,
      coverage: covered.includes(null) ? null : covered.filter((hit) => hit === true).length / nodes,
    };
  });
}

function print(cells: readonly Cell[]): void {
  const percent = (value: number | null) => (value === null ? '-' : `${(100 * value).toFixed(1)} %`);
  for (const cell of cells) {
    console.log(
      [
        cell.client.padEnd(10),
        String(cell.validators).padStart(5),
        cell.method.padEnd(9),
        `mean ${cell.mean.toFixed(1).padStart(7)}`,
        `median error ${percent(cell.medianError).padStart(8)}`,
        `bias ${percent(cell.bias).padStart(8)}`,
        `interval holds ${percent(cell.coverage).padStart(7)}`,
      ].join('  '),
    );
  }
}

const nodes = Number(argument('nodes', '200'));
const out = argument('out', 'docs/accuracy');
await mkdir(out, { recursive: true });
for (const activeValidators of NETWORK_SIZES) {
  console.log(`\n${activeValidators} active validators, ${EPOCHS} epochs, ${nodes} nodes a row`);
  const cells = CLIENT_NAMES.flatMap((client) =>
    COUNTS.filter((validators) => validators <= LARGEST_SHARE * activeValidators).flatMap((validators) =>
      cellsFor(activeValidators, client, validators, nodes),
    ),
  );
  print(cells);
  const path = `${out}/n-${activeValidators}.svg`;
  await writeFile(path, await drawPlot(cells, activeValidators));
  console.log(`plot: ${path}`);
}
