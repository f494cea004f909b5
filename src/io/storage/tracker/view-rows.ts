import type { EstimatorModel } from '../../../consensus/estimators/estimator-network.ts';
import {
  type EstimatorEvidence,
  estimatesOf,
  type FactValues,
  type PeerFacts,
  type PeerView,
  type Stamp,
} from '../../../consensus/peer-view.ts';

/** The columns of `validator_tracker` that the reducer owns and makes views of again. */
export interface ViewRow {
  readonly peer_id: string;
  readonly enr: string | null;
  readonly multiaddr: string | null;
  readonly ip: string | null;
  readonly port: number | null;
  readonly last_seen: number;
  readonly last_epoch: number | null;
  readonly client_version: string | null;
  readonly possible_validator: number;
  readonly max_validator_count: number;
  readonly num_observations: number;
  readonly first_seen: number;
  /** JSON arrays. */
  readonly long_lived_subnets: string | null;
  readonly short_lived_subnets: string | null;
  readonly custody_group_count: number | null;
  readonly fork_digest: string | null;
  readonly direction: FactValues['direction'] | null;
  readonly transport: FactValues['transport'] | null;
}

/** What `fact_stamps` holds of one peer: of each stated fact the time and the event id. */
type Stamps = { readonly [Name in keyof FactValues]?: readonly [atMs: number, eventId: string] };

export function rowOf(view: PeerView): ViewRow {
  const { facts, published } = view;
  return {
    peer_id: view.peerId,
    enr: facts.enr?.value ?? null,
    multiaddr: facts.address?.value.multiaddr ?? null,
    ip: facts.address?.value.ip ?? null,
    port: facts.address?.value.port ?? null,
    last_seen: view.lastSeenMs,
    last_epoch: facts.epoch?.value ?? null,
    client_version: facts.clientVersion?.value ?? null,
    possible_validator: published.possibleValidator ? 1 : 0,
    max_validator_count: published.maxValidatorCount,
    num_observations: published.numObservations,
    first_seen: view.firstSeenMs,
    long_lived_subnets: facts.subnets && JSON.stringify(facts.subnets.value.longLived),
    short_lived_subnets: facts.subnets && JSON.stringify(facts.subnets.value.shortLived),
    custody_group_count: facts.custodyGroupCount?.value ?? null,
    fork_digest: facts.forkDigest?.value ?? null,
    direction: facts.direction?.value ?? null,
    transport: facts.transport?.value ?? null,
  };
}

export function stampsOf(facts: PeerFacts): string {
  const stamps: Record<string, Stamps[keyof FactValues]> = {};
  for (const [name, fact] of Object.entries(facts)) {
    if (fact !== null) stamps[name] = [fact.atMs, fact.eventId];
  }
  return JSON.stringify(stamps);
}

/** The columns of `validator_tracker` that the estimators fill. */
export interface EstimateColumns {
  readonly validators_estimate: number | null;
  readonly validators_low: number;
  readonly validators_high: number | null;
  readonly stake_eth_low: number | null;
  readonly stake_eth_high: number | null;
  readonly estimate_method: 'combined';
  /** Comma-separated. */
  readonly estimate_flags: string;
  readonly estimate_observations: number;
  readonly estimate_from_ms: number;
  readonly estimate_to_ms: number;
}

/** A row of `validator_estimates`. */
export type MethodRow = readonly [
  peerId: string,
  method: string,
  estimate: number | null,
  low: number | null,
  high: number | null,
  observations: number,
  updatedMs: number,
];

/** What the estimators make of a view. Times are those of observations, so that replaying gives the same rows. */
export function estimateRowsOf(
  view: PeerView,
  model: EstimatorModel | null,
): { columns: EstimateColumns; methods: MethodRow[] } {
  const { combined, methods, observations, fromMs, toMs } = estimatesOf(view, model);
  return {
    columns: {
      validators_estimate: combined.validators,
      validators_low: combined.low,
      validators_high: combined.high,
      stake_eth_low: combined.stakeEthLow,
      stake_eth_high: combined.stakeEthHigh,
      estimate_method: 'combined',
      estimate_flags: combined.flags.join(','),
      estimate_observations: observations,
      estimate_from_ms: fromMs,
      estimate_to_ms: toMs,
    },
    methods: methods.map(({ method, estimate, low, high, observations: used }) => [
      view.peerId,
      method,
      estimate,
      low,
      high,
      used,
      view.lastSeenMs,
    ]),
  };
}

/** The view a row was made from. */
export function viewOf(row: ViewRow, stampsJson: string, evidence: EstimatorEvidence): PeerView {
  const stamps = JSON.parse(stampsJson) as Stamps;
  const fact = <Name extends keyof FactValues>(name: Name, value: () => FactValues[Name]): PeerFacts[Name] => {
    const stamp = stamps[name];
    return (stamp === undefined ? null : { value: value(), ...stampOf(stamp) }) as PeerFacts[Name];
  };
  return {
    peerId: row.peer_id,
    firstSeenMs: row.first_seen,
    lastSeenMs: row.last_seen,
    published: {
      maxValidatorCount: row.max_validator_count,
      possibleValidator: row.possible_validator === 1,
      numObservations: row.num_observations,
    },
    evidence,
    facts: {
      epoch: fact('epoch', () => row.last_epoch as number),
      enr: fact('enr', () => row.enr as string),
      address: fact('address', () => ({
        multiaddr: row.multiaddr as string,
        ip: row.ip as string,
        port: row.port as number,
      })),
      clientVersion: fact('clientVersion', () => row.client_version as string),
      subnets: fact('subnets', () => ({
        longLived: JSON.parse(row.long_lived_subnets as string) as number[],
        shortLived: JSON.parse(row.short_lived_subnets as string) as number[],
      })),
      custodyGroupCount: fact('custodyGroupCount', () => row.custody_group_count as number),
      forkDigest: fact('forkDigest', () => row.fork_digest as string),
      direction: fact('direction', () => row.direction as FactValues['direction']),
      transport: fact('transport', () => row.transport as FactValues['transport']),
    },
  };
}

function stampOf([atMs, eventId]: readonly [number, string]): Stamp {
  return { atMs, eventId };
}
