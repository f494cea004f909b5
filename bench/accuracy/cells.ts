import type { Method } from '../../src/consensus/estimators/peer-estimates.ts';
import { type ClientName, seededRandom, watchNode } from './generator.ts';
import { type Judge, METHODS } from './judge.ts';

/** What a method made of many nodes of one client that have the same number of validators. */
export interface Cell {
  readonly activeValidators: number;
  readonly client: ClientName;
  readonly validators: number;
  readonly method: Method;
  /** Nodes that the method said something of. */
  readonly nodes: number;
  readonly mean: number;
  /** Middle half of the estimates. */
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
  /** Median of |estimate - truth| / max(truth, 1). */
  readonly medianError: number;
  /** Mean of (estimate - truth) / max(truth, 1). */
  readonly bias: number;
  /** Share of the nodes for which there is no estimate but a lower bound. */
  readonly bounds: number;
  /** Share of intervals that hold the truth; `null` for methods without intervals. */
  readonly coverage: number | null;
  /** How many short-lived subnets were seen of a node in all its looks, on average. */
  readonly sightings: number;
}

export interface CellOptions {
  readonly activeValidators: number;
  readonly client: ClientName;
  readonly validators: number;
  readonly nodes: number;
  readonly epochs: number;
  readonly judge: Judge;
}

/** One cell for each method, from the same nodes. */
export function cellsFor(options: CellOptions): Cell[] {
  const { activeValidators, client, validators, nodes, epochs, judge } = options;
  const random = seededRandom(seedOf(options));
  let sightings = 0;
  const verdicts = Array.from({ length: nodes }, () => {
    const node = watchNode({ client, validators, activeValidators, epochs, random });
    for (const { subscribed } of node.looks) sightings += subscribed.size - node.longLived.size;
    return judge(node);
  });
  return METHODS.flatMap((method): Cell[] => {
    const said = verdicts.flatMap((verdict) => verdict[method] ?? []);
    if (said.length === 0) return [];
    const estimates = said.map((estimate) => estimate.validators).sort((a, b) => a - b);
    const unit = Math.max(validators, 1);
    const mean = estimates.reduce((total, value) => total + value, 0) / said.length;
    const errors = estimates.map((value) => Math.abs(value - validators) / unit).sort((a, b) => a - b);
    const share = (holds: (estimate: (typeof said)[number]) => boolean) => said.filter(holds).length / said.length;
    return [
      {
        activeValidators,
        client,
        validators,
        method,
        nodes: said.length,
        mean,
        lowerQuartile: quantile(estimates, 0.25),
        upperQuartile: quantile(estimates, 0.75),
        medianError: quantile(errors, 0.5),
        bias: (mean - validators) / unit,
        bounds: share(({ isBound }) => isBound),
        coverage: said.some(({ covered }) => covered === null) ? null : share(({ covered }) => covered === true),
        sightings: sightings / nodes,
      },
    ];
  });
}

function seedOf({ activeValidators, client, validators }: CellOptions): number {
  const letters = [...client].reduce((hash, letter) => Math.imul(hash, 31) + letter.charCodeAt(0), 7);
  return activeValidators + validators * 7_919 + letters;
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}
