import type { Client } from '../client.ts';
import { CLIENT_WINDOWS } from './client-windows.ts';
import {
  type CustodyReading,
  custodyEstimate,
  ETH_PER_GROUP,
  MAX_EFFECTIVE_ETH,
  NUMBER_OF_CUSTODY_GROUPS,
  readCustody,
} from './custody.ts';
import type { Estimate } from './estimate.ts';

/** Why an estimate is what it is, or how far to trust it. */
export const ESTIMATE_FLAGS = [
  'subscribe-all',
  'supernode',
  'saturated',
  'unknown-client',
  'custody-conflict',
  'few-observations',
] as const;
export type EstimateFlag = (typeof ESTIMATE_FLAGS)[number];

export interface CombinedInput {
  readonly client: Client;
  readonly custodyGroupCount: number | null;
  /** `null` when subnets say nothing: never observed, or subscribed to all of them. */
  readonly subnets: Estimate | null;
  readonly observations: number;
  readonly subscribesToAll: boolean;
}

export interface CombinedEstimate extends Estimate {
  /** Whether there are validators at all; `null` when unknown. */
  readonly presence: boolean | null;
  readonly stakeEthLow: number | null;
  readonly stakeEthHigh: number | null;
  readonly flags: readonly EstimateFlag[];
}

/** Fewer observations than an hour of epochs give (reference, section 6): a small node may not have been caught aggregating. */
const FEW_OBSERVATIONS = 10;

/**
 * Puts presence, count and stake together. A custody count from 9 to 127 pins the stake, and with it the count if no validator is
 * compounding; the subnets decide between few large validators and many small ones, and are all there is elsewhere. Where nothing
 * says anything the interval is unbounded, and the flags may say why.
 */
export function combinedEstimate(input: CombinedInput): CombinedEstimate {
  const custody = readCustody(input.custodyGroupCount, input.client);
  const { estimate, conflict } = merge(input.subnets, custody) ?? { estimate: UNKNOWN, conflict: false };
  const flags: EstimateFlag[] = [];
  if (input.subscribesToAll) flags.push('subscribe-all');
  if (input.custodyGroupCount === NUMBER_OF_CUSTODY_GROUPS) flags.push('supernode');
  if (input.subnets !== null && estimate.high === null) flags.push('saturated');
  if (CLIENT_WINDOWS[input.client] === undefined) flags.push('unknown-client');
  if (conflict) flags.push('custody-conflict');
  if (input.observations < FEW_OBSERVATIONS) flags.push('few-observations');
  return { ...estimate, presence: presenceOf(estimate, custody), ...stakeOf(estimate, custody), flags };
}

const UNKNOWN: Estimate = { validators: null, low: 0, high: null };

interface Merged {
  readonly estimate: Estimate;
  readonly conflict: boolean;
}

function merge(subnets: Estimate | null, custody: CustodyReading): Merged | null {
  const { validators, pinned } = custody;
  const alone = custodyEstimate(custody);
  if (validators === null || alone === null) return subnets === null ? null : { estimate: subnets, conflict: false };
  if (subnets === null) return { estimate: alone, conflict: false };
  const high = validators.high ?? Number.POSITIVE_INFINITY;
  // No validators, says the custody count; it lags by some minutes behind the first sighting, and outlives no deposit.
  if (high === 0) {
    return subnets.low > 0 || subnets.validators !== 0
      ? { estimate: subnets, conflict: true }
      : { estimate: { validators: 0, low: 0, high: subnets.high }, conflict: false };
  }
  if (subnets.low > high) {
    const conflict = isFarFrom(subnets, high);
    // A pinned stake is sharper than any window that we believe to know.
    const estimate = pinned || !conflict ? { validators: high, low: validators.low, high } : subnets;
    return { estimate, conflict };
  }
  const low = Math.max(validators.low, subnets.low);
  if (pinned && !isFarFrom(subnets, high)) return { estimate: { validators: high, low, high }, conflict: false };
  const upper = Math.min(high, Math.max(subnets.high ?? high, validators.low));
  const count = Math.min(Math.max(subnets.validators ?? upper, validators.low), high);
  return { estimate: { validators: count, low: Math.min(low, upper), high: upper }, conflict: pinned };
}

/**
 * How much further than the 90 % bounds those of 98 % are. Most validators have 32 ETH, so it takes more than a one in twenty chance to
 * make a node an exception.
 */
const RARER_BOUNDS = 2.326 / 1.645;

function isFarFrom({ validators, low, high }: Estimate, count: number): boolean {
  const middle = validators ?? low;
  const above = high === null ? Number.POSITIVE_INFINITY : middle + RARER_BOUNDS * (high - middle);
  return count < middle - RARER_BOUNDS * (middle - low) || count > above;
}

function presenceOf(estimate: Estimate, { validators }: CustodyReading): boolean | null {
  if (estimate.low > 0 || (validators !== null && validators.low > 0)) return true;
  if (estimate.validators === 0 && validators?.high === 0) return false;
  return estimate.validators !== null && estimate.validators > 0 ? true : null;
}

function stakeOf(
  estimate: Estimate,
  { stakeEth }: CustodyReading,
): Pick<CombinedEstimate, 'stakeEthLow' | 'stakeEthHigh'> {
  if (stakeEth !== null) return { stakeEthLow: stakeEth.low, stakeEthHigh: stakeEth.high };
  if (estimate === UNKNOWN) return { stakeEthLow: null, stakeEthHigh: null };
  return {
    stakeEthLow: Math.round(estimate.low * ETH_PER_GROUP),
    stakeEthHigh: estimate.high === null ? null : Math.round(estimate.high * MAX_EFFECTIVE_ETH),
  };
}
