import { mkdir, writeFile } from 'node:fs/promises';
import { type Cell, cellsFor } from './cells.ts';
import { CLIENT_NAMES } from './generator.ts';
import { judgeFor } from './judge.ts';
import { drawCoverage, drawEstimates } from './plot.ts';
import { percent, type Verdict, verdictsOn } from './sentences.ts';

/**
 * Truth against each estimator, from simulated observations: prints a table, writes the plots, and says which cells are not as they
 * must be. Ends with 1 if there are any.
 *
 *     node bench/accuracy/run.ts [--nodes 1000] [--out docs/accuracy]
 */

const COUNTS = [0, 1, 3, 10, 30, 100, 300, 1000, 3000];
const NETWORK_SIZES = [1_000_000, 300_000, 2_000];
const EPOCHS = 225;

function argument(name: string, fallback: string): string {
  const index = process.argv.indexOf(`--${name}`);
  return index === -1 ? fallback : (process.argv[index + 1] ?? fallback);
}

function printCells(cells: readonly Cell[]): void {
  for (const cell of cells) {
    const columns = [
      cell.client.padEnd(10),
      String(cell.validators).padStart(5),
      cell.method.padEnd(9),
      `mean ${cell.mean.toFixed(1).padStart(7)}`,
      `median error ${percent(cell.medianError).padStart(8)}`,
      `bias ${percent(cell.bias).padStart(8)}`,
      `interval holds ${(cell.coverage === null ? '-' : percent(cell.coverage)).padStart(7)}`,
    ];
    console.log(columns.join('  '));
  }
}

function printVerdicts(title: string, verdicts: readonly Verdict[]): void {
  console.log(`\n${title}: ${verdicts.length}`);
  for (const { cell, sentence, excuse } of verdicts) {
    const reason = excuse === null ? '' : ` (${excuse})`;
    console.log(
      `  N ${cell.activeValidators}  ${cell.client.padEnd(10)} V ${cell.validators}  ${cell.method}: ${sentence}${reason}`,
    );
  }
}

const nodes = Number(argument('nodes', '1000'));
const out = argument('out', 'docs/accuracy');
await mkdir(out, { recursive: true });
const all: Cell[] = [];
for (const activeValidators of NETWORK_SIZES) {
  console.log(`\n${activeValidators} active validators, ${EPOCHS} epochs, ${nodes} nodes a row`);
  const judge = judgeFor(activeValidators);
  const cells = CLIENT_NAMES.flatMap((client) =>
    COUNTS.filter((validators) => validators <= activeValidators).flatMap((validators) =>
      cellsFor({ activeValidators, client, validators, nodes, epochs: EPOCHS, judge }),
    ),
  );
  printCells(cells);
  await writeFile(`${out}/n-${activeValidators}.svg`, await drawEstimates(cells, activeValidators));
  all.push(...cells);
}
await writeFile(`${out}/coverage.svg`, await drawCoverage(all));

const verdicts = verdictsOn(all);
const missed = verdicts.filter(({ isMet }) => !isMet);
console.log(`\n${verdicts.length - missed.length} of ${verdicts.length} sentences hold`);
printVerdicts(
  'cannot hold, or do by chance only',
  missed.filter(({ excuse }) => excuse !== null),
);
const failing = missed.filter(({ excuse }) => excuse === null);
printVerdicts('FAILING', failing);
process.exitCode = failing.length === 0 ? 0 : 1;
