import { setBits } from './bits.ts';
import { clientOf } from './client.ts';
import type { EstimatorModel } from './estimators/estimator-network.ts';
import { addLegacyObservation, type LegacyCounts, NO_LEGACY_COUNTS } from './estimators/legacy.ts';
import { type PeerEstimates, peerEstimates } from './estimators/peer-estimates.ts';
import { addLook, NO_PEER_STATISTICS, type PeerStatistics } from './estimators/peer-statistics.ts';
import { type PublishedEstimate, publishedEstimate } from './estimators/published.ts';
import { subnetLook } from './estimators/subnet-look.ts';
import type { Direction, MetadataReceivedEvent, Transport } from './events.ts';
import { type PeerAddress, parseObservedAddress } from './peer-address.ts';
import { shortLivedSubnets } from './subnets.ts';

/**
 * What is known of one peer from all observations of it.
 *
 * The result does not depend on the order of observations: counters, maxima and the first and last time accumulate,
 * and each fact is the one of the newest observation that stated it. Events may therefore arrive late or shuffled. Of the
 * estimators' evidence this holds up to rounding, see `addLook`.
 */
export interface PeerView {
  readonly peerId: string;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly published: PublishedEstimate;
  readonly evidence: EstimatorEvidence;
  readonly facts: PeerFacts;
}

/** What the estimators remember beyond what is published: a few hundred bytes, however long the peer is watched. */
export interface EstimatorEvidence {
  readonly legacy: LegacyCounts;
  /** Observations that told a custody group count. */
  readonly custodyObservations: number;
  readonly statistics: PeerStatistics;
}

export const NO_EVIDENCE: EstimatorEvidence = {
  legacy: NO_LEGACY_COUNTS,
  custodyObservations: 0,
  statistics: NO_PEER_STATISTICS,
};

export interface FactValues {
  readonly epoch: number;
  readonly enr: string;
  readonly address: PeerAddress;
  readonly clientVersion: string;
  readonly subnets: ObservedSubnets;
  readonly custodyGroupCount: number;
  readonly forkDigest: string;
  readonly direction: Direction;
  readonly transport: Transport;
}

/** Attestation subnets of one observation whose metadata was obtained, each list ascending. */
export interface ObservedSubnets {
  readonly longLived: readonly number[];
  readonly shortLived: readonly number[];
}

/** Names the observation a fact came from; observations are ordered by time, then by event id. */
export interface Stamp {
  readonly atMs: number;
  readonly eventId: string;
}

export interface Fact<T> extends Stamp {
  readonly value: T;
}

/** A fact is `null` until an observation states it. */
export type PeerFacts = { readonly [Name in keyof FactValues]: Fact<FactValues[Name]> | null };

const NO_FACTS: PeerFacts = {
  epoch: null,
  enr: null,
  address: null,
  clientVersion: null,
  subnets: null,
  custodyGroupCount: null,
  forkDigest: null,
  direction: null,
  transport: null,
};

/** An ENR text that holds nothing: what the Go program sends for peers that only ever dialled in. */
const EMPTY_ENR = 'enr:';
/** What the Go program sends when identify had not finished. */
const UNKNOWN_CLIENT = 'unknown';

/**
 * The view after one more observation. The event carries the id it is deduplicated by in `event_id`, which breaks ties
 * between observations of the same millisecond; each event must be observed once.
 *
 * @param model `null` where the network is unknown: the subnets then say nothing about the number of validators
 */
export function observe(
  view: PeerView | undefined,
  event: MetadataReceivedEvent,
  model: EstimatorModel | null,
): PeerView {
  const stamp = { atMs: event.timestamp, eventId: event.event_id ?? '' };
  const subnets = observedSubnets(event);
  const known = view?.facts ?? NO_FACTS;
  const agent = event.client_version === UNKNOWN_CLIENT ? null : event.client_version;
  const clientVersion = newest(known.clientVersion, agent, stamp);
  return {
    peerId: event.id,
    firstSeenMs: Math.min(view?.firstSeenMs ?? event.timestamp, event.timestamp),
    lastSeenMs: Math.max(view?.lastSeenMs ?? event.timestamp, event.timestamp),
    published: publishedEstimate(view?.published, subnets?.shortLived.length ?? null),
    evidence: nextEvidence(view?.evidence ?? NO_EVIDENCE, event, agent || (clientVersion?.value ?? ''), model),
    facts: {
      epoch: newest(known.epoch, event.epoch, stamp),
      enr: newest(known.enr, event.enr === EMPTY_ENR ? null : event.enr, stamp),
      address: newestAddress(known.address, parseObservedAddress(event.multiaddr), stamp),
      clientVersion,
      subnets: newest(known.subnets, subnets, stamp),
      custodyGroupCount: newest(known.custodyGroupCount, event.custody_group_count, stamp),
      forkDigest: newest(known.forkDigest, event.fork_digest, stamp),
      direction: newest(known.direction, event.direction, stamp),
      transport: newest(known.transport, event.transport, stamp),
    },
  };
}

function nextEvidence(
  { legacy, custodyObservations, statistics }: EstimatorEvidence,
  event: MetadataReceivedEvent,
  agent: string,
  model: EstimatorModel | null,
): EstimatorEvidence {
  const { metadata, subscribed_subnets, custody_group_count } = event;
  const look = subnetLook(event, model);
  return {
    legacy:
      metadata === null ? legacy : addLegacyObservation(legacy, subscribed_subnets, new Set(setBits(metadata.attnets))),
    custodyObservations: custodyObservations + (typeof custody_group_count === 'number' ? 1 : 0),
    statistics: look === null ? statistics : addLook(statistics, look, clientOf(agent), model),
  };
}

/** What the estimators make of a view. `model` as in {@link observe}. */
export function estimatesOf(view: PeerView, model: EstimatorModel | null): PeerEstimates {
  const { firstSeenMs, lastSeenMs, published, evidence, facts } = view;
  const known = {
    ...evidence,
    agent: facts.clientVersion?.value ?? null,
    firstSeenMs,
    lastSeenMs,
    published,
    custodyGroupCount: facts.custodyGroupCount?.value ?? null,
  };
  return peerEstimates(known, model);
}

/** The subnets of an observation, or `null` when no metadata says which of them are long-lived. */
export function observedSubnets(event: MetadataReceivedEvent): ObservedSubnets | null {
  if (event.metadata === null) return null;
  const longLived = setBits(event.metadata.attnets);
  return { longLived, shortLived: shortLivedSubnets(event.subscribed_subnets, longLived) };
}

/** An empty or absent value states nothing, so that it never erases a known one. */
function newest<T>(known: Fact<T> | null, value: T | null | undefined, stamp: Stamp): Fact<T> | null {
  if (value === null || value === undefined || value === '') return known;
  return known !== null && !isAfter(stamp, known) ? known : { value, ...stamp };
}

/** Where a peer listens says more than where it dialled from, whichever was seen later. */
function newestAddress(
  known: Fact<PeerAddress> | null,
  value: PeerAddress | null,
  stamp: Stamp,
): Fact<PeerAddress> | null {
  if (known === null || value === null || (known.value.port === 0) === (value.port === 0))
    return newest(known, value, stamp);
  return value.port === 0 ? known : { value, ...stamp };
}

function isAfter(a: Stamp, b: Stamp): boolean {
  return a.atMs === b.atMs ? a.eventId > b.eventId : a.atMs > b.atMs;
}
