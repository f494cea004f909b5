import { clientOf } from '../client.ts';
import { type CombinedEstimate, combinedEstimate } from './combined.ts';
import { crowding } from './crowding.ts';
import { custodyEstimate, readCustody } from './custody.ts';
import type { Estimate } from './estimate.ts';
import type { EstimatorModel } from './estimator-network.ts';
import { type LegacyCounts, legacyEstimate } from './legacy.ts';
import { mixedEstimate } from './mixture.ts';
import { withinNetwork } from './network-share.ts';
import { candidates, type PeerStatistics, subscribesToAll } from './peer-statistics.ts';
import type { PublishedEstimate } from './published.ts';
import { subnetsEstimate } from './subnets.ts';

/** What the estimators are given of one peer. */
export interface PeerEvidence {
  readonly agent: string | null;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly published: PublishedEstimate;
  readonly legacy: LegacyCounts;
  readonly custodyGroupCount: number | null;
  /** Observations that told a custody group count. */
  readonly custodyObservations: number;
  readonly statistics: PeerStatistics;
}

export const METHODS = ['published', 'legacy', 'subnets', 'custody', 'combined'] as const;
export type Method = (typeof METHODS)[number];

/** What one method says; a method without intervals has no bounds, and one with nothing to say no estimate either. */
export interface MethodEstimate {
  readonly method: Method;
  readonly estimate: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** Observations it rests on. */
  readonly observations: number;
}

export interface PeerEstimates {
  readonly methods: readonly MethodEstimate[];
  readonly combined: CombinedEstimate;
  /** Observations that `combined` rests on, and the time they span. */
  readonly observations: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * All methods side by side, from the same evidence.
 *
 * @param model `null` where the network is unknown
 */
export function peerEstimates(evidence: PeerEvidence, model: EstimatorModel | null): PeerEstimates {
  const { published, custodyGroupCount, custodyObservations, statistics } = evidence;
  const client = clientOf(evidence.agent ?? '');
  const seen = candidates(statistics, client);
  const drawn = subnetsThrough(seen, model);
  const subnets = drawn === null || model === null ? drawn : withinNetwork(drawn, model.rules);
  const span = spanOf(seen) ?? {
    observations: published.numObservations,
    fromMs: evidence.firstSeenMs,
    toMs: evidence.lastSeenMs,
  };
  const custody = custodyEstimate(readCustody(custodyGroupCount, client));
  const combined = combinedEstimate({
    client,
    custodyGroupCount,
    subnets,
    observations: span.observations,
    subscribesToAll: subscribesToAll(statistics, client),
  });
  return {
    ...span,
    combined,
    methods: [
      withoutBounds('published', published.maxValidatorCount, published.numObservations),
      legacyMethod(evidence.legacy),
      withBounds('subnets', subnets, seen.length === 0 ? 0 : span.observations),
      withBounds('custody', custody, custodyObservations),
      withBounds('combined', combined, span.observations),
    ],
  };
}

function subnetsThrough(seen: ReturnType<typeof candidates>, model: EstimatorModel | null): Estimate | null {
  return mixedEstimate(
    seen.flatMap(({ share, window, statistics }) => {
      const crowded = window === null || model === null ? 0 : crowding(window, model.rules);
      const estimate = subnetsEstimate(statistics, crowded);
      return estimate === null ? [] : [{ share, estimate }];
    }),
  );
}

/** Of all candidates alike: they are the same observations, read differently. */
function spanOf(seen: ReturnType<typeof candidates>): Pick<PeerEstimates, 'observations' | 'fromMs' | 'toMs'> | null {
  const statistics = seen[0]?.statistics;
  if (statistics === undefined) return null;
  return { observations: statistics.observations, fromMs: statistics.firstMs, toMs: statistics.lastMs };
}

function legacyMethod(counts: LegacyCounts): MethodEstimate {
  const legacy = legacyEstimate(counts);
  return withoutBounds('legacy', legacy?.validatorCount ?? null, legacy?.observations ?? 0);
}

function withoutBounds(method: Method, estimate: number | null, observations: number): MethodEstimate {
  return { method, estimate, low: null, high: null, observations };
}

function withBounds(method: Method, estimate: Estimate | null, observations: number): MethodEstimate {
  if (estimate === null) return { method, estimate: null, low: null, high: null, observations };
  const { validators, low, high } = estimate;
  return { method, estimate: validators, low, high, observations };
}
