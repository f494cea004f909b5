import type { Client } from '../client.ts';
import type { Estimate } from './estimate.ts';

/**
 * What the custody group count says of the stake behind a node (fulu/validator.md, get_validators_custody_requirement):
 * min(max(stake // 32 ETH, 8), 128) groups with validators, 4 without. Clients raise it and hardly ever lower it, so it tells the
 * largest stake since the node's database was made.
 */
export interface CustodyReading {
  /** ETH of effective balance. `null` where the count says nothing; `high` is `null` when unbounded. */
  readonly stakeEth: { readonly low: number; readonly high: number | null } | null;
  /** The validators that hold such a stake: few of 2048 ETH, or many of 32. */
  readonly validators: { readonly low: number; readonly high: number | null } | null;
  /** Whether the stake is known to one validator's deposit. */
  readonly pinned: boolean;
}

/** fulu configuration. */
export const CUSTODY_REQUIREMENT = 4;
export const VALIDATOR_CUSTODY_REQUIREMENT = 8;
export const NUMBER_OF_CUSTODY_GROUPS = 128;
/** `--semi-supernode` and its kin set this count whatever the stake. */
const SEMI_SUPERNODE_GROUPS = 64;
/** BALANCE_PER_ADDITIONAL_CUSTODY_GROUP; effective balances are whole ETH. */
export const ETH_PER_GROUP = 32;
/** EIP-7251 MAX_EFFECTIVE_BALANCE_ELECTRA. */
export const MAX_EFFECTIVE_ETH = 2048;

const UNKNOWN: CustodyReading = { stakeEth: null, validators: null, pinned: false };

export function readCustody(custodyGroupCount: number | null, client: Client): CustodyReading {
  if (custodyGroupCount === null) return UNKNOWN;
  // Nimbus counts the validators in its own process only: a separate validator client leaves no trace.
  if (client === 'Nimbus' && custodyGroupCount <= NUMBER_OF_CUSTODY_GROUPS) return UNKNOWN;
  if (custodyGroupCount === CUSTODY_REQUIREMENT) {
    return { stakeEth: { low: 0, high: 0 }, validators: { low: 0, high: 0 }, pinned: false };
  }
  if (custodyGroupCount === VALIDATOR_CUSTODY_REQUIREMENT) {
    const high = (VALIDATOR_CUSTODY_REQUIREMENT + 1) * ETH_PER_GROUP - 1;
    return { stakeEth: { low: 1, high }, validators: { low: 1, high: VALIDATOR_CUSTODY_REQUIREMENT }, pinned: false };
  }
  const isCounted = custodyGroupCount > VALIDATOR_CUSTODY_REQUIREMENT && custodyGroupCount < NUMBER_OF_CUSTODY_GROUPS;
  if (!isCounted || custodyGroupCount === SEMI_SUPERNODE_GROUPS) return UNKNOWN;
  const low = custodyGroupCount * ETH_PER_GROUP;
  const high = low + ETH_PER_GROUP - 1;
  return {
    stakeEth: { low, high },
    validators: { low: Math.ceil(low / MAX_EFFECTIVE_ETH), high: custodyGroupCount },
    pinned: true,
  };
}

/**
 * What the custody count alone makes of it: a pinned stake is taken for validators of 32 ETH each, which most are. `null` where it says
 * nothing.
 */
export function custodyEstimate({ validators, pinned }: CustodyReading): Estimate | null {
  if (validators === null) return null;
  const { low, high } = validators;
  return { validators: pinned || high === null ? high : (low + high) / 2, low, high };
}
