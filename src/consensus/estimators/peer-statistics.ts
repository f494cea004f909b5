import type { Client } from '../client.ts';
import { CLIENT_WINDOWS, type ClientWindow, POSSIBLE_WINDOWS, visibleSlots } from './client-windows.ts';
import type { DutyRules } from './committees.ts';
import type { EstimatorModel } from './estimator-network.ts';
import { exposures } from './exposure.ts';
import { cameOfDuties } from './full-looks.ts';
import type { SubnetLook } from './subnet-look.ts';
import { coverageOf } from './subnet-look.ts';
import { addObservation, mergeStatistics, NO_STATISTICS, type SubnetStatistics } from './subnet-statistics.ts';
import {
  addCoverage,
  declaresAll,
  NO_SUBSCRIBE_ALL_EVIDENCE,
  type SubscribeAllEvidence,
  showsAll,
} from './subscribe-all.ts';

/**
 * What the estimators remember of a peer's subnets.
 *
 * Each observation is read with the window of the client it was made of. Those of a client without a known window are read with every
 * window there is, side by side, until the client is known.
 */
export interface PeerStatistics {
  readonly coverage: SubscribeAllEvidence;
  readonly known: SubnetStatistics;
  /** Observations with every subnet lit, which may be of duties or of a flag. */
  readonly full: SubnetStatistics;
  /** One for each of {@link POSSIBLE_WINDOWS}, or none. */
  readonly unknown: readonly SubnetStatistics[];
}

export const NO_PEER_STATISTICS: PeerStatistics = {
  coverage: NO_SUBSCRIBE_ALL_EVIDENCE,
  known: NO_STATISTICS,
  full: NO_STATISTICS,
  unknown: [],
};

/**
 * The statistics after one more observation. The order of observations does not matter, but for rounding and for which observations
 * are told to have shown the same duties.
 *
 * @param model `null` where the network is unknown: then only what needs no duties is learnt
 */
export function addLook(
  before: PeerStatistics,
  look: SubnetLook,
  client: Client,
  model: EstimatorModel | null,
): PeerStatistics {
  const coverage = coverageOf(look);
  const statistics = { ...settled(before, client), coverage: addCoverage(before.coverage, look.epoch, coverage) };
  if (model === null || look.slots === null || coverage === 'declared') return statistics;
  const { slots } = look;
  const added = (to: SubnetStatistics, window: ClientWindow) =>
    addObservation(to, observationThrough(window, look, slots, model.rules));

  const window = CLIENT_WINDOWS[client];
  if (coverage === 'full') {
    return window === undefined ? statistics : { ...statistics, full: added(statistics.full, window) };
  }
  if (window !== undefined) return { ...statistics, known: added(statistics.known, window) };
  const unknown = POSSIBLE_WINDOWS.map((possible, index) =>
    added(statistics.unknown[index] ?? NO_STATISTICS, possible.window),
  );
  return { ...statistics, unknown };
}

function observationThrough(
  window: ClientWindow,
  { atMs, longLived, subscribed }: SubnetLook,
  { from, to }: NonNullable<SubnetLook['slots']>,
  rules: DutyRules,
) {
  const visible = visibleSlots(window, from, to, rules.slotsPerEpoch);
  return { atMs, visible, exposures: exposures(rules, visible, longLived, subscribed) };
}

/** Once the client is known, so is the window that earlier observations were made through. */
function settled(statistics: PeerStatistics, client: Client): PeerStatistics {
  const index = POSSIBLE_WINDOWS.findIndex(({ clients }) => clients.includes(client));
  const past = statistics.unknown[index];
  if (past === undefined) return statistics;
  return { ...statistics, known: mergeStatistics(statistics.known, past), unknown: [] };
}

/** What was seen through one window, and how likely that is the client's. */
export interface WeightedStatistics {
  readonly share: number;
  /** `null` where nothing was seen since the client has had no known window. */
  readonly window: ClientWindow | null;
  readonly statistics: SubnetStatistics;
}

/** Whether the node subscribes to all subnets whatever its duties. */
export function subscribesToAll(statistics: PeerStatistics, client: Client): boolean {
  const { coverage, known, full } = settled(statistics, client);
  return declaresAll(coverage) || (showsAll(coverage) && cameOfDuties(full, known) !== true);
}

/** One where the client is known, else one for each window it may have. Empty when subnets say nothing. */
export function candidates(statistics: PeerStatistics, client: Client): readonly WeightedStatistics[] {
  if (subscribesToAll(statistics, client)) return [];
  const { known, full, unknown } = settled(statistics, client);
  const seen = cameOfDuties(full, known) === false ? known : mergeStatistics(known, full);
  if (unknown.length === 0)
    return seen.observations === 0 ? [] : [{ share: 1, window: CLIENT_WINDOWS[client] ?? null, statistics: seen }];
  return POSSIBLE_WINDOWS.map(({ share, window }, index) => ({
    share,
    window,
    statistics: mergeStatistics(seen, unknown[index] ?? NO_STATISTICS),
  }));
}
