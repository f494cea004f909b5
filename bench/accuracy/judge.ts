import { CLIENTS, type Client } from '../../src/consensus/client.ts';
import { estimatorModel } from '../../src/consensus/estimators/estimator-network.ts';
import { addLegacyObservation, NO_LEGACY_COUNTS } from '../../src/consensus/estimators/legacy.ts';
import { type Method, type MethodEstimate, peerEstimates } from '../../src/consensus/estimators/peer-estimates.ts';
import { addLook, NO_PEER_STATISTICS } from '../../src/consensus/estimators/peer-statistics.ts';
import { type PublishedEstimate, publishedEstimate } from '../../src/consensus/estimators/published.ts';
import { shortLivedSubnets } from '../../src/consensus/subnets.ts';
import type { WatchedNode } from './generator.ts';

export { METHODS } from '../../src/consensus/estimators/peer-estimates.ts';

export interface Judged {
  /** The lower bound where there is only one. */
  readonly validators: number;
  readonly isBound: boolean;
  /** Whether the 90 % interval holds the truth; `null` for methods without one. */
  readonly covered: boolean | null;
}

/** What each method says of a node; one that says nothing is absent. */
export type Judge = (node: WatchedNode) => Readonly<Partial<Record<Method, Judged>>>;

const SLOTS_PER_EPOCH = 32;
const SLOT_MS = 12_000;

/** Judges nodes of such a network by the way that the program takes. */
export function judgeFor(activeValidators: number): Judge {
  const model = estimatorModel({ genesisTimeMs: 0, slotMs: SLOT_MS, slotsPerEpoch: SLOTS_PER_EPOCH, activeValidators });
  return (node) => {
    const { longLived, custodyGroupCount, looks } = node;
    const client: Client = CLIENTS.find((known) => known === node.client) ?? 'unknown';
    let statistics = NO_PEER_STATISTICS;
    let legacy = NO_LEGACY_COUNTS;
    let published: PublishedEstimate | undefined;
    for (const { slot, subscribed } of looks) {
      const epoch = Math.floor(slot / SLOTS_PER_EPOCH);
      const look = { atMs: slot * SLOT_MS, epoch, longLived, subscribed, slots: { from: slot, to: slot } };
      statistics = addLook(statistics, look, client, model);
      legacy = addLegacyObservation(legacy, subscribed, longLived);
      published = publishedEstimate(published, shortLivedSubnets(subscribed, longLived).length);
    }
    const { methods } = peerEstimates(
      {
        agent: client,
        firstSeenMs: 0,
        lastSeenMs: looks.length * SLOTS_PER_EPOCH * SLOT_MS,
        published: published ?? publishedEstimate(undefined, null),
        legacy,
        custodyGroupCount,
        custodyObservations: looks.length,
        statistics,
      },
      model,
    );
    return Object.fromEntries(methods.flatMap((said) => judged(said, node)));
  };
}

function judged({ method, estimate, low, high }: MethodEstimate, { validators }: WatchedNode): [Method, Judged][] {
  const value = estimate ?? low;
  if (value === null) return [];
  const covered = low === null ? null : low <= validators && validators <= (high ?? Number.POSITIVE_INFINITY);
  return [[method, { validators: value, isBound: estimate === null, covered }]];
}
