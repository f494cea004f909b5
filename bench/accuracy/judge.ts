import { CLIENTS, type Client } from '../../src/consensus/client.ts';
import { CLIENT_WINDOWS, visibleSlots } from '../../src/consensus/estimators/client-windows.ts';
import { combinedEstimate } from '../../src/consensus/estimators/combined.ts';
import { dutyRules } from '../../src/consensus/estimators/committees.ts';
import { exposures } from '../../src/consensus/estimators/exposure.ts';
import { addLegacyObservation, legacyEstimate, NO_LEGACY_COUNTS } from '../../src/consensus/estimators/legacy.ts';
import { addObservation, NO_STATISTICS } from '../../src/consensus/estimators/subnet-statistics.ts';
import { subnetsEstimate } from '../../src/consensus/estimators/subnets.ts';
import { shortLivedSubnets } from '../../src/consensus/subnets.ts';
import type { WatchedNode } from './generator.ts';

export const METHODS = ['published', 'legacy', 'subnets', 'combined'] as const;
export type Method = (typeof METHODS)[number];

export interface Judged {
  readonly validators: number;
  /** Whether the 90 % interval holds the truth; `null` for methods without one. */
  readonly covered: boolean | null;
}

const SLOTS_PER_EPOCH = 32;
const EPOCH_MS = SLOTS_PER_EPOCH * 12_000;

/** What each method says of a node. */
export function judge(node: WatchedNode, activeValidators: number): Readonly<Record<Method, Judged>> {
  const rules = dutyRules(activeValidators, SLOTS_PER_EPOCH);
  const client: Client = CLIENTS.find((name) => name === node.client) ?? 'unknown';
  const window = CLIENT_WINDOWS[client];
  if (window === undefined) throw new Error(`no window for ${client}`);
  let statistics = NO_STATISTICS;
  let legacy = NO_LEGACY_COUNTS;
  let published = 0;
  for (const { slot, subscribed } of node.looks) {
    const visible = visibleSlots(window, slot, slot, SLOTS_PER_EPOCH);
    const atMs = (slot / SLOTS_PER_EPOCH) * EPOCH_MS;
    statistics = addObservation(statistics, {
      atMs,
      visible,
      exposures: exposures(rules, visible, node.longLived, subscribed),
    });
    legacy = addLegacyObservation(legacy, subscribed, node.longLived);
    published = Math.max(published, shortLivedSubnets(subscribed, node.longLived).length);
  }
  const subnets = subnetsEstimate(statistics);
  const combined = combinedEstimate({
    client,
    custodyGroupCount: node.custodyGroupCount,
    subnets,
    observations: node.looks.length,
    subscribesToAll: false,
  });
  const holds = (estimate: { low: number; high: number | null } | null) =>
    estimate !== null &&
    estimate.low <= node.validators &&
    node.validators <= (estimate.high ?? Number.POSITIVE_INFINITY);
  return {
    published: { validators: published, covered: null },
    legacy: { validators: legacyEstimate(legacy)?.validatorCount ?? 0, covered: null },
    subnets: { validators: subnets?.validators ?? subnets?.low ?? 0, covered: holds(subnets) },
    combined: { validators: combined?.validators ?? combined?.low ?? 0, covered: holds(combined) },
  };
}
