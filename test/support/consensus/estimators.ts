import type { Client } from '../../../src/consensus/client.ts';
import { CLIENT_WINDOWS, visibleSlots } from '../../../src/consensus/estimators/client-windows.ts';
import type { EstimatorNetwork } from '../../../src/consensus/estimators/estimator-network.ts';
import type { SubnetLook } from '../../../src/consensus/estimators/subnet-look.ts';

/** A million active validators, as on mainnet: 64 committees a slot, one aggregator in 30. */
export const NETWORK: EstimatorNetwork = {
  genesisTimeMs: 1_606_824_023_000,
  slotMs: 12_000,
  slotsPerEpoch: 32,
  activeValidators: 1_000_000,
};

export const EPOCH_MS = 384_000;
export const ALL_SUBNETS = Array.from({ length: 64 }, (_, subnet) => subnet);

/** A look in the first slot of an epoch at a node with the long-lived subnets 0 and 1. */
export function lookAt(epoch: number, shortLived: readonly number[], fields: Partial<SubnetLook> = {}): SubnetLook {
  return {
    atMs: NETWORK.genesisTimeMs + epoch * EPOCH_MS,
    epoch,
    longLived: new Set([0, 1]),
    subscribed: new Set([0, 1, ...shortLived]),
    slots: { from: epoch * 32, to: epoch * 32 },
    ...fields,
  };
}

export function slotsSeenThrough(client: Client, slot: number): { first: number; last: number } {
  const window = CLIENT_WINDOWS[client];
  if (window === undefined) throw new Error(`no window for ${client}`);
  return visibleSlots(window, slot, slot, 32);
}
