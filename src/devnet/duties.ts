import type { ClientName } from './clients.ts';
import { seededRandom } from './random.ts';

/** Which validators aggregate where (phase0/validator.md), and how long before a duty each client subscribes. */

export const SLOTS_PER_EPOCH = 32;
const SUBNET_COUNT = 64;
const MAX_COMMITTEES_PER_SLOT = 64;
const TARGET_COMMITTEE_SIZE = 128;
const TARGET_AGGREGATORS_PER_COMMITTEE = 16;
const SYNC_COMMITTEE_SIZE = 512;
const SYNC_SUBNET_COUNT = 4;
const EPOCHS_PER_SYNC_COMMITTEE_PERIOD = 256;

/** An aggregation duty: the only kind for which clients join a subnet. */
export interface Duty {
  readonly slot: number;
  readonly subnet: number;
}

/** One node's validators as far as their duties go. */
export interface DutyHolder {
  readonly seed: number;
  readonly index: number;
  readonly validators: number;
  /** Active validators of the whole network. */
  readonly activeValidators: number;
}

/** get_committee_count_per_slot (phase0/beacon-chain.md). */
export function committeesPerSlot(activeValidators: number): number {
  const full = Math.floor(activeValidators / SLOTS_PER_EPOCH / TARGET_COMMITTEE_SIZE);
  return Math.max(1, Math.min(MAX_COMMITTEES_PER_SLOT, full));
}

/** The chance that is_aggregator (phase0/validator.md) holds for a member of an average committee. */
export function aggregatorProbability(activeValidators: number): number {
  const committee = Math.floor(activeValidators / (SLOTS_PER_EPOCH * committeesPerSlot(activeValidators)));
  return 1 / Math.max(1, Math.floor(committee / TARGET_AGGREGATORS_PER_COMMITTEE));
}

/** compute_subnet_for_attestation (phase0/validator.md). */
export function attestationSubnet(committees: number, slot: number, committee: number): number {
  return (committees * (slot % SLOTS_PER_EPOCH) + committee) % SUBNET_COUNT;
}

/** The aggregation duties of one node's validators in one epoch: a pure function of its arguments. */
export function dutiesOf({ seed, index, validators, activeValidators }: DutyHolder, epoch: number): Duty[] {
  const random = seededRandom('duties', seed, index, epoch);
  const committees = committeesPerSlot(activeValidators);
  const probability = aggregatorProbability(activeValidators);
  const duties: Duty[] = [];
  for (let validator = 0; validator < validators; validator++) {
    if (random() >= probability) continue;
    const slot = epoch * SLOTS_PER_EPOCH + Math.floor(random() * SLOTS_PER_EPOCH);
    duties.push({ slot, subnet: attestationSubnet(committees, slot, Math.floor(random() * committees)) });
  }
  return duties;
}

/** The sync-committee subnets of one node's validators during the period of `epoch`, ascending. */
export function syncSubnetsOf({ seed, index, validators, activeValidators }: DutyHolder, epoch: number): number[] {
  const period = Math.floor(epoch / EPOCHS_PER_SYNC_COMMITTEE_PERIOD);
  const random = seededRandom('sync committee', seed, index, period);
  const subnets = new Set<number>();
  for (let validator = 0; validator < validators; validator++) {
    if (random() < SYNC_COMMITTEE_SIZE / activeValidators) subnets.add(Math.floor(random() * SYNC_SUBNET_COUNT));
  }
  return [...subnets].sort((left, right) => left - right);
}

/** Slots before the duty slot at which these clients subscribe. */
const LEAD_SLOTS = { Lighthouse: 1, Grandine: 1, Caplin: 1, Lodestar: 2, Nimbus: 3 } as const;

/**
 * The first slot during which a client is subscribed for a duty; it leaves after the duty slot. Prysm holds what its
 * validators do up to the first slot of the next epoch, Teku whatever they have asked for, one epoch ahead.
 */
export function visibleFrom(client: ClientName, dutySlot: number): number {
  switch (client) {
    case 'Prysm':
      return epochStart(dutySlot - 1);
    case 'Teku':
      return epochStart(dutySlot) - SLOTS_PER_EPOCH;
    default:
      return dutySlot - LEAD_SLOTS[client];
  }
}

/** The subnets a client is subscribed to at `slot` on account of these duties, ascending. */
export function subnetsFor(client: ClientName, duties: Iterable<Duty>, slot: number): number[] {
  const subnets = new Set<number>();
  for (const duty of duties) if (visibleFrom(client, duty.slot) <= slot && slot <= duty.slot) subnets.add(duty.subnet);
  return [...subnets].sort((left, right) => left - right);
}

function epochStart(slot: number): number {
  return Math.floor(slot / SLOTS_PER_EPOCH) * SLOTS_PER_EPOCH;
}
