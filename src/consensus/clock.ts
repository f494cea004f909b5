import type { Network } from './network.ts';

/** Slots and epochs of a network from Unix time in milliseconds. Before genesis the answers are negative. */
export interface NetworkClock {
  readonly epochMs: number;
  slotAt(unixMs: number): number;
  epochAt(unixMs: number): number;
  slotStartMs(slot: number): number;
  epochStartMs(epoch: number): number;
}

export function networkClock(network: Pick<Network, 'genesisTimeMs' | 'slotMs' | 'slotsPerEpoch'>): NetworkClock {
  const { genesisTimeMs, slotMs, slotsPerEpoch } = network;
  const epochMs = slotMs * slotsPerEpoch;
  return {
    epochMs,
    slotAt: (unixMs) => Math.floor((unixMs - genesisTimeMs) / slotMs),
    epochAt: (unixMs) => Math.floor((unixMs - genesisTimeMs) / epochMs),
    slotStartMs: (slot) => genesisTimeMs + slot * slotMs,
    epochStartMs: (epoch) => genesisTimeMs + epoch * epochMs,
  };
}
