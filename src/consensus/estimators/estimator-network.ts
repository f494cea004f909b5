import { networkClock } from '../clock.ts';
import type { Network } from '../network.ts';
import { type DutyRules, dutyRules } from './committees.ts';

/** What the estimators must know of a network: its clock, and how many validators share its duties. */
export type EstimatorNetwork = Pick<Network, 'genesisTimeMs' | 'slotMs' | 'slotsPerEpoch' | 'activeValidators'>;

/** What follows from it. Make it once: rules keep what they have computed. */
export interface EstimatorModel {
  readonly rules: DutyRules;
  readonly slotAt: (unixMs: number) => number;
}

export function estimatorModel(network: EstimatorNetwork): EstimatorModel {
  return {
    rules: dutyRules(network.activeValidators, network.slotsPerEpoch),
    slotAt: networkClock(network).slotAt,
  };
}
