import { ATTESTATION_SUBNET_COUNT } from '../subnets.ts';

/** How a network of `activeValidators` spreads its duties over slots, committees and subnets (phase0/beacon-chain.md). */
export interface DutyRules {
  readonly activeValidators: number;
  readonly slotsPerEpoch: number;
  readonly committeesPerSlot: number;
  /** Chance that the member of a committee is one of its aggregators. */
  readonly aggregatorProbability: number;
}

const MAX_COMMITTEES_PER_SLOT = 64;
const TARGET_COMMITTEE_SIZE = 128;
const TARGET_AGGREGATORS_PER_COMMITTEE = 16;

/** get_committee_count_per_slot and is_aggregator (phase0/beacon-chain.md, phase0/validator.md). */
export function dutyRules(activeValidators: number, slotsPerEpoch: number): DutyRules {
  const perSlot = Math.floor(activeValidators / slotsPerEpoch);
  const wanted = Math.floor(perSlot / TARGET_COMMITTEE_SIZE);
  const committeesPerSlot = Math.max(1, Math.min(MAX_COMMITTEES_PER_SLOT, wanted));
  const committeeSize = Math.floor(perSlot / committeesPerSlot);
  const modulo = Math.max(1, Math.floor(committeeSize / TARGET_AGGREGATORS_PER_COMMITTEE));
  return { activeValidators, slotsPerEpoch, committeesPerSlot, aggregatorProbability: 1 / modulo };
}

/** compute_subnet_for_attestation (phase0/validator.md). */
export function subnetOfCommittee(rules: DutyRules, slot: number, committeeIndex: number): number {
  const sinceEpochStart = slot % rules.slotsPerEpoch;
  return (rules.committeesPerSlot * sinceEpochStart + committeeIndex) % ATTESTATION_SUBNET_COUNT;
}
