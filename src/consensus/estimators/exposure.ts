import { ATTESTATION_SUBNET_COUNT } from '../subnets.ts';
import type { VisibleSlots } from './client-windows.ts';
import { type DutyRules, subnetOfCommittee } from './committees.ts';

/**
 * What one observation can show: for each subnet, the hazard with which a single validator would have lit it.
 *
 * A validator has one duty an epoch, in a uniform slot and committee, and lights its subnet if it aggregates. With `m` visible
 * slot-committees of an epoch mapping to a subnet, it stays dark with probability 1 - p·m / (slots · committees); with
 * V validators over several epochs the probabilities multiply, so that P(dark) = exp(-hazard · V).
 */
export interface Exposure {
  /** Hazard of one validator for the subnets of this group. */
  readonly hazard: number;
  /** Subnets in the group that are not hidden behind a long-lived subscription. */
  readonly subnets: number;
  /** Those of them that were lit. */
  readonly lit: number;
}

/**
 * Groups the subnets of an observation by their hazard. Lit subnets that no visible duty maps to are left out: the model cannot
 * explain them.
 */
export function exposures(
  rules: DutyRules,
  visible: VisibleSlots,
  longLived: ReadonlySet<number>,
  lit: ReadonlySet<number>,
): Exposure[] {
  const hazards = hazardsOf(rules, visible);
  const groups = new Map<number, { subnets: number; lit: number }>();
  for (const [subnet, hazard] of hazards.entries()) {
    if (hazard === 0 || longLived.has(subnet)) continue;
    const group = groups.get(hazard) ?? { subnets: 0, lit: 0 };
    group.subnets++;
    if (lit.has(subnet)) group.lit++;
    groups.set(hazard, group);
  }
  return [...groups].map(([hazard, group]) => ({ hazard, ...group }));
}

/** Hazards repeat every epoch, so few of them are ever computed: as many as there are stretches of slots seen by clients. */
const computed = new WeakMap<DutyRules, Map<string, readonly number[]>>();

function hazardsOf(rules: DutyRules, { first, last }: VisibleSlots): readonly number[] {
  const known = computed.get(rules) ?? new Map<string, readonly number[]>();
  computed.set(rules, known);
  const start = first % rules.slotsPerEpoch;
  const key = `${start}+${last - first}`;
  const visible = { first: start, last: start + last - first };
  const isEven = rules.committeesPerSlot === ATTESTATION_SUBNET_COUNT;
  const hazards = known.get(key) ?? (isEven ? evenHazards(rules, visible) : slotHazards(rules, visible));
  known.set(key, hazards);
  return hazards;
}

/** With 64 committees a slot, every slot reaches every subnet once. */
function evenHazards(rules: DutyRules, visible: VisibleSlots): number[] {
  let hazard = 0;
  for (const { slots } of byEpoch(visible, rules.slotsPerEpoch)) hazard += hazardOf(rules, slots.length);
  return new Array<number>(ATTESTATION_SUBNET_COUNT).fill(hazard);
}

/** In a smaller network each slot of the epoch has its own few subnets. */
function slotHazards(rules: DutyRules, visible: VisibleSlots): number[] {
  const hazards = new Array<number>(ATTESTATION_SUBNET_COUNT).fill(0);
  for (const { slots } of byEpoch(visible, rules.slotsPerEpoch)) {
    const committees = new Array<number>(ATTESTATION_SUBNET_COUNT).fill(0);
    for (const slot of slots) {
      for (let index = 0; index < rules.committeesPerSlot; index++) {
        const subnet = subnetOfCommittee(rules, slot, index);
        committees[subnet] = (committees[subnet] ?? 0) + 1;
      }
    }
    for (const [subnet, count] of committees.entries())
      hazards[subnet] = (hazards[subnet] ?? 0) + hazardOf(rules, count);
  }
  return hazards;
}

/** -ln of the chance that one validator lights none of `committees` slot-committees of one epoch. */
function hazardOf({ aggregatorProbability, slotsPerEpoch, committeesPerSlot }: DutyRules, committees: number): number {
  return -Math.log1p((-aggregatorProbability * committees) / (slotsPerEpoch * committeesPerSlot));
}

function byEpoch({ first, last }: VisibleSlots, slotsPerEpoch: number): { slots: number[] }[] {
  const epochs = new Map<number, number[]>();
  for (let slot = first; slot <= last; slot++) {
    const epoch = Math.floor(slot / slotsPerEpoch);
    const slots = epochs.get(epoch);
    if (slots === undefined) epochs.set(epoch, [slot]);
    else slots.push(slot);
  }
  return [...epochs.values()].map((slots) => ({ slots }));
}
