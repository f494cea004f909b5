import type { Client } from '../client.ts';
import { CLIENT_WINDOWS, type ClientWindow } from './client-windows.ts';
import { readCustody } from './custody.ts';
import type { Estimate } from './estimate.ts';
import { type HazardBin, hazardIndex, NO_STATISTICS, type SubnetStatistics } from './subnet-statistics.ts';
import { subnetsEstimate } from './subnets.ts';

/** A node as far as its client's window can be judged by it. */
export interface CalibrationPeer {
  readonly client: Client;
  readonly custodyGroupCount: number | null;
  /** What was seen of it through the window its client is assumed to have. */
  readonly statistics: SubnetStatistics;
}

export interface CalibratedWindow {
  readonly client: Client;
  /** Nodes that the calibration rests on, and those left out because they have fewer validators than their stake allows. */
  readonly nodes: number;
  readonly leftOut: number;
  /** Duty slots visible at a time, on average over an epoch. */
  readonly assumedSlots: number;
  /** The same as the nodes say; bounds of 90 %. */
  readonly calibratedSlots: number;
  readonly low: number;
  readonly high: number | null;
  readonly source: string;
}

/** Fewer expected sightings than this, and the ratio of a single node says nothing. */
const MIN_EXPECTED_SIGHTINGS = 5;
/** With fewer nodes that tell, one or two with compounding validators would decide what most of them say. */
const MIN_TELLING_NODES = 5;

/**
 * Judges the windows by nodes whose custody count pins their stake (9 to 127 groups, not 64, not Nimbus): with one validator for each
 * 32 ETH the number is known, and the window is what must be estimated.
 *
 * Nodes with compounding validators have fewer, and would shorten every window; they are left out as those whose interval does not hold
 * what most nodes of the client say. The result is meant for networks of at least 262,144 validators, where each slot reaches every
 * subnet: in smaller ones a window longer than assumed lights subnets that the model cannot explain.
 */
export function calibrateWindows(peers: readonly CalibrationPeer[], slotsPerEpoch: number): CalibratedWindow[] {
  const byClient = Map.groupBy(peers, ({ client }) => client);
  return [...byClient].flatMap(([client, nodes]) => {
    const window = CLIENT_WINDOWS[client];
    return window === undefined ? [] : calibrate(client, window, nodes, slotsPerEpoch);
  });
}

interface PinnedNode {
  readonly validators: number;
  readonly estimate: Estimate;
  readonly statistics: SubnetStatistics;
}

function calibrate(
  client: Client,
  window: ClientWindow,
  peers: readonly CalibrationPeer[],
  slotsPerEpoch: number,
): CalibratedWindow[] {
  const pinned = peers.flatMap(pinnedNode);
  const telling = pinned.filter(tells);
  const ratio = median(telling.map(({ validators, estimate }) => (estimate.validators ?? 0) / validators));
  if (ratio === null || telling.length < MIN_TELLING_NODES) return [];
  const kept = pinned.filter(({ validators, estimate: { low, high } }) => {
    const expected = ratio * validators;
    return low <= expected && expected <= (high ?? Number.POSITIVE_INFINITY);
  });
  const scale = subnetsEstimate(pooled(kept));
  if (scale === null || scale.validators === null) return [];
  const assumedSlots = meanSlots(window, slotsPerEpoch);
  return [
    {
      client,
      nodes: kept.length,
      leftOut: pinned.length - kept.length,
      assumedSlots,
      calibratedSlots: assumedSlots * scale.validators,
      low: assumedSlots * scale.low,
      high: scale.high === null ? null : assumedSlots * scale.high,
      source: window.source,
    },
  ];
}

function pinnedNode({ client, custodyGroupCount, statistics }: CalibrationPeer): PinnedNode[] {
  const { pinned, validators } = readCustody(custodyGroupCount, client);
  const estimate = subnetsEstimate(statistics);
  if (!pinned || validators === null || validators.high === null || estimate === null) return [];
  return [{ validators: validators.high, estimate, statistics }];
}

function tells({ validators, statistics }: PinnedNode): boolean {
  return statistics.bins.reduce((sum, { hazard }) => sum + hazard * validators, 0) >= MIN_EXPECTED_SIGHTINGS;
}

/** All nodes as one, whose number of validators is the factor by which the window is longer than assumed. */
function pooled(nodes: readonly PinnedNode[]): SubnetStatistics {
  const bins = new Map<number, HazardBin>();
  let [weight, weightSquared, overlap] = [0, 0, 0];
  for (const { validators, statistics } of nodes) {
    weight += statistics.weight;
    weightSquared += statistics.weightSquared;
    overlap += statistics.overlap;
    for (const { subnets, lit, hazard } of statistics.bins) {
      const index = hazardIndex((hazard / subnets) * validators);
      const bin = bins.get(index) ?? { index, subnets: 0, lit: 0, hazard: 0 };
      bins.set(index, {
        index,
        subnets: bin.subnets + subnets,
        lit: bin.lit + lit,
        hazard: bin.hazard + hazard * validators,
      });
    }
  }
  return { ...NO_STATISTICS, weight, weightSquared, overlap, bins: [...bins.values()] };
}

function meanSlots(window: ClientWindow, slotsPerEpoch: number): number {
  let slots = 0;
  for (let slot = 0; slot < slotsPerEpoch; slot++) slots += window.lastVisibleSlot(slot, slotsPerEpoch) - slot + 1;
  return slots / slotsPerEpoch;
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
