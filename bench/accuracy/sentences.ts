import type { Cell } from './cells.ts';
import { coverageOfWholeCounts } from './whole-counts.ts';

/** What must hold of the cells, and what may not for a reason of arithmetic. */
export interface Verdict {
  readonly cell: Cell;
  readonly sentence: string;
  readonly isMet: boolean;
  /** Why it cannot be met, where that is so. */
  readonly excuse: string | null;
}

const MAX_MEDIAN_ERROR = 0.15;
const MAX_BIAS = 0.05;
const COVERAGE = { low: 0.87, high: 0.93 };
/** Fewer sightings than this, and that they are whole numbers decides over the coverage. */
const FEW_SIGHTINGS = 6;
/** With more nodes than this that have every subnet lit always, there is no estimate to speak of. */
const SATURATED_SHARE = 0.05;
/** Standard errors of the simulation. */
const NOISE = 2.6;

/** From how many validators on the errors are judged: clients that show few duties at a time need more. */
function leastJudged({ client }: Cell): number {
  return client === 'Prysm' || client === 'Teku' ? 10 : 100;
}

export function verdictsOn(cells: readonly Cell[]): Verdict[] {
  return cells.flatMap((cell) => {
    if (cell.method === 'subnets') return [...errorVerdicts(cell), coverageVerdict(cell)];
    if (cell.method !== 'combined') return [];
    const subnets = cells.find((other) => other.method === 'subnets' && isSameRow(other, cell));
    return subnets === undefined ? [] : [...errorVerdicts(cell), ...comparison(cell, subnets)];
  });
}

function isSameRow(a: Cell, b: Cell): boolean {
  return a.activeValidators === b.activeValidators && a.client === b.client && a.validators === b.validators;
}

function errorVerdicts(cell: Cell): Verdict[] {
  if (cell.validators < leastJudged(cell)) return [];
  const excuse =
    cell.bounds > SATURATED_SHARE ? `every subnet lit in every look at ${percent(cell.bounds)} of the nodes` : null;
  return [
    {
      cell,
      sentence: `median error ${percent(cell.medianError)}, at most 15 %`,
      isMet: cell.medianError <= MAX_MEDIAN_ERROR,
      excuse,
    },
    { cell, sentence: `bias ${percent(cell.bias)}, at most 5 %`, isMet: Math.abs(cell.bias) <= MAX_BIAS, excuse },
  ];
}

function coverageVerdict(cell: Cell): Verdict {
  const coverage = cell.coverage ?? 0;
  const noise = chance(cell);
  return {
    cell,
    sentence: `interval holds the truth in ${percent(coverage)}, 87 to 93 %`,
    isMet: coverage >= COVERAGE.low && coverage <= COVERAGE.high,
    excuse: coverageExcuse(cell, coverage, noise),
  };
}

function coverageExcuse(cell: Cell, coverage: number, noise: number): string | null {
  if (cell.validators === 0) return 'nothing is ever seen of no validators: every interval holds 0';
  if (cell.bounds > SATURATED_SHARE) return `only a lower bound for ${percent(cell.bounds)} of the nodes`;
  const expected = cell.sightings > FEW_SIGHTINGS ? 0.9 : coverageOfWholeCounts(cell.sightings);
  const isOutside = expected < COVERAGE.low || expected > COVERAGE.high;
  if (isOutside && Math.abs(expected - coverage) <= noise + WEIGHT_BLUR) {
    return `${cell.sightings.toFixed(2)} whole sightings make ${percent(expected)}`;
  }
  const isChance = coverage >= COVERAGE.low - noise && coverage <= COVERAGE.high + noise;
  return isChance ? `within the chance of ${cell.nodes} nodes` : null;
}

/** Weights that fall with age, and several sightings of one duty, make the counts a little less whole. */
const WEIGHT_BLUR = 0.02;

function comparison(combined: Cell, subnets: Cell): Verdict[] {
  const noise = chance(combined);
  return [
    {
      cell: combined,
      sentence: `median error ${percent(combined.medianError)}, at most the ${percent(subnets.medianError)} of subnets`,
      isMet: combined.medianError <= subnets.medianError + 1e-9,
      excuse: null,
    },
    {
      cell: combined,
      sentence: `interval holds the truth in ${percent(combined.coverage ?? 0)}, at least as often as that of subnets, or 87 %`,
      isMet: (combined.coverage ?? 0) >= Math.min(COVERAGE.low - noise, subnets.coverage ?? 0),
      excuse: null,
    },
  ];
}

/** How far chance moves a coverage of 90 %. */
function chance({ nodes }: Cell): number {
  return NOISE * Math.sqrt((0.9 * 0.1) / nodes);
}

export function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}
