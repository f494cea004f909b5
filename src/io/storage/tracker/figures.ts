/** Nodes and the validators behind them, summed, with what is known of the error. */
export interface Figures {
  readonly nodes: number;
  /** Nodes that certainly or probably have validators. */
  readonly validator_nodes: number;
  /** Nodes of which nothing tells how many validators they have; they count as none. */
  readonly nodes_without_estimate: number;
  readonly validators: number;
  /**
   * 90 % interval of the sum, as far as the errors of the nodes have nothing to do with each other: a client's window that differs from
   * what is assumed shifts all of its nodes.
   */
  readonly validators_low: number;
  /** `null` when nothing bounds one of the nodes. */
  readonly validators_high: number | null;
  readonly stake_eth_low: number;
  readonly stake_eth_high: number | null;
  /** Sum of the published rule's counts. */
  readonly published: number;
  /** Nodes that are probably further beacon nodes of a validator client that another node stands for, and what the sums owe to them. */
  readonly fallback_nodes: number;
  readonly fallback_validators: number;
}

/** What a query sums up; from several of these follow the figures of all together. */
export interface Sums {
  readonly nodes: number;
  readonly withValidators: number;
  readonly unknown: number;
  readonly validators: number;
  readonly lows: number;
  readonly highs: number;
  readonly squaresBelow: number;
  readonly squaresAbove: number;
  readonly unbounded: number;
  readonly stakeLow: number;
  readonly stakeHigh: number;
  readonly stakeUnbounded: number;
  readonly published: number;
  readonly copies: number;
  readonly copiedValidators: number;
}

export const NO_SUMS: Sums = {
  nodes: 0,
  withValidators: 0,
  unknown: 0,
  validators: 0,
  lows: 0,
  highs: 0,
  squaresBelow: 0,
  squaresAbove: 0,
  unbounded: 0,
  stakeLow: 0,
  stakeHigh: 0,
  stakeUnbounded: 0,
  published: 0,
  copies: 0,
  copiedValidators: 0,
};

/** Over rows with the estimate columns of the view, `validators` (estimate, else lower bound) and `is_copy`. */
export const SUM_COLUMNS = `
  count(*) AS nodes,
  total(validators_low > 0 OR validators_estimate > 0) AS withValidators,
  total(validators_estimate IS NULL AND coalesce(validators_low, 0) = 0) AS unknown,
  total(validators) AS validators,
  total(validators_low) AS lows,
  total(validators_high) AS highs,
  total((validators - validators_low) * (validators - validators_low)) AS squaresBelow,
  total((validators_high - validators) * (validators_high - validators)) AS squaresAbove,
  total(validators_high IS NULL) AS unbounded,
  total(stake_eth_low) AS stakeLow,
  total(stake_eth_high) AS stakeHigh,
  total(stake_eth_high IS NULL) AS stakeUnbounded,
  total(max_validator_count) AS published,
  total(is_copy) AS copies,
  total(iif(is_copy, validators, 0)) AS copiedValidators`;

export function addSums(a: Sums, b: Sums): Sums {
  const names = Object.keys(NO_SUMS) as (keyof Sums)[];
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as Sums;
}

export function figuresOf(sums: Sums): Figures {
  const { validators, lows, highs, unbounded } = sums;
  return {
    nodes: sums.nodes,
    validator_nodes: sums.withValidators,
    nodes_without_estimate: sums.unknown,
    validators,
    validators_low: Math.max(lows, validators - Math.sqrt(sums.squaresBelow)),
    validators_high: unbounded > 0 ? null : Math.min(highs, validators + Math.sqrt(sums.squaresAbove)),
    stake_eth_low: sums.stakeLow,
    stake_eth_high: sums.stakeUnbounded > 0 ? null : sums.stakeHigh,
    published: sums.published,
    fallback_nodes: sums.copies,
    fallback_validators: sums.copiedValidators,
  };
}
