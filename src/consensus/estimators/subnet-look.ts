import { setBits } from '../bits.ts';
import type { MetadataReceivedEvent } from '../events.ts';
import { decodeNodeRecord } from '../node-record.ts';
import { ATTESTATION_SUBNET_COUNT } from '../subnets.ts';
import type { EstimatorModel } from './estimator-network.ts';
import type { SubnetCoverage } from './subscribe-all.ts';

/** What one observation tells of a node's subnets. */
export interface SubnetLook {
  readonly atMs: number;
  readonly epoch: number;
  readonly longLived: ReadonlySet<number>;
  readonly subscribed: ReadonlySet<number>;
  /** First and last slot of the observation; `null` when nothing tells them. */
  readonly slots: { readonly from: number; readonly to: number } | null;
}

/**
 * `null` when the observation tells nothing: the subscriptions never came, or nothing says which of the subnets are long-lived. A node
 * that is subscribed to nothing, not even to what it says it always is, had not sent its subscriptions yet or is still syncing.
 */
export function subnetLook(event: MetadataReceivedEvent, model: EstimatorModel | null): SubnetLook | null {
  if (event.missing?.includes('subscriptions')) return null;
  const longLived = longLivedSubnets(event);
  if (longLived === null) return null;
  const subscribed = new Set(event.current_subnets ?? event.subscribed_subnets);
  if (subscribed.size === 0 && longLived.length > 0) return null;
  return {
    atMs: event.timestamp,
    epoch: event.epoch,
    longLived: new Set(longLived),
    subscribed,
    slots: model === null ? null : slotsOf(event, model),
  };
}

export function coverageOf({ longLived, subscribed }: SubnetLook): SubnetCoverage {
  if (longLived.size === ATTESTATION_SUBNET_COUNT) return 'declared';
  return subscribed.size === ATTESTATION_SUBNET_COUNT ? 'full' : 'partial';
}

/** From the metadata, which is newer than the record; verifying a record costs as much as all the rest. */
function longLivedSubnets({ metadata, enr }: MetadataReceivedEvent): readonly number[] | null {
  if (metadata !== null) return setBits(metadata.attnets);
  const record = decodeNodeRecord(enr);
  return record.ok ? record.value.attnets : null;
}

/**
 * By the observer's own slot if it says one, else by the clock. What a node was subscribed to at the end is of one slot, whatever came
 * late and however long it took. All that was seen in more than an epoch tells nothing.
 */
function slotsOf(
  { slot, timestamp, observed_from, observed_to, current_subnets }: MetadataReceivedEvent,
  { slotAt, rules }: EstimatorModel,
): SubnetLook['slots'] {
  const from = slot ?? slotAt(observed_from ?? timestamp);
  const lasted = slotAt(observed_to ?? observed_from ?? timestamp) - slotAt(observed_from ?? observed_to ?? timestamp);
  if (from < 0 || lasted < 0) return null;
  const to = from + lasted;
  if (Array.isArray(current_subnets)) return { from: to, to };
  return lasted > rules.slotsPerEpoch ? null : { from, to };
}
