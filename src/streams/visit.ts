import type { Observable } from 'rxjs';
import type { MetaData, Status } from '../consensus/containers.ts';
import type { Direction } from '../consensus/events.ts';
import { type Failure, failure as failureFrom } from '../consensus/failure.ts';
import type { DialTarget, PeerLink } from './ports/peer-link.ts';

/** A visit on its way through the pipeline: each stage adds what it learnt. */

/** Which visit to which peer: a peer whose visit was given up may be visited again before the late answer comes. */
export interface VisitKey {
  readonly peerId: string;
  /** Number of the visit. A stage passes it on as it came. */
  readonly lease: number;
}

/** A visit that is to be begun. */
export interface DueVisit extends VisitKey, DialTarget {}

export interface ConnectedVisit extends VisitKey {
  readonly enr: string | null;
  /** Whether it is a further look on the same connection: what was not found out of the peer before is not looked for again. */
  readonly isFurtherLook?: boolean;
  readonly link: PeerLink;
}

export interface GreetedVisit extends ConnectedVisit {
  /** Where a peer that dialled us says it listens, as a multiaddr. */
  readonly listenAddress?: string | null;
  /** From identify; `null` when it was not learnt. */
  readonly agent: string | null;
  readonly status: Status | null;
  readonly metaData: MetaData | null;
  /** What was asked for and not obtained. */
  readonly missing: readonly Failure[];
}

/** Everything one visit found out. */
export interface Observation extends Omit<GreetedVisit, 'link' | 'listenAddress'> {
  /** What was wrong with what it said; the rest of it counts all the same. */
  readonly problems: readonly Failure[];
  readonly direction: Direction;
  readonly transport: 'tcp' | 'quic';
  /** Multiaddr without the peer id: where it was dialled, or where it says it listens. */
  readonly address: string;
  /** Distinct attestation subnets subscribed to at any time during the interval, ascending; `null` when no hello came. */
  readonly subscribedSubnets: readonly number[] | null;
  /**
   * Those of them that it had not left again at the end: however late its words arrive, they were all true at one moment.
   */
  readonly currentSubnets: readonly number[] | null;
  /** Sync-committee subnets, likewise. */
  readonly subscribedSyncnets: readonly number[];
  /** Number of distinct data-column topics. */
  readonly dataColumns: number;
  /** When the connection opened: all that the peer said of itself was true at some moment from here on. */
  readonly observedFromMs: number;
  readonly observedToMs: number;
}

/** A visit that ended early. */
export interface VisitFailure extends VisitKey {
  readonly failure: Failure;
  /** Known when the peer got as far as identify. */
  readonly agent?: string | null;
}

export type VisitOutcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly value: VisitFailure };

/** A stage takes visits and answers each of them exactly once; it errors only when the program is wrong. */
export type Stage<In, Out> = (input: Observable<In>) => Observable<VisitOutcome<Out>>;

export function visitSucceeded<T>(value: T): VisitOutcome<T> {
  return { ok: true, value };
}

export function visitFailed(
  { peerId, lease }: VisitKey,
  failure: Failure,
  agent: string | null = null,
): VisitOutcome<never> {
  return { ok: false, value: agent === null ? { peerId, lease, failure } : { peerId, lease, failure, agent } };
}

/** Why a visit counts as failed: for itself, or because what it found out could not be recorded. */
export function failureOfVisit(outcome: VisitOutcome<Observation>, notRecorded: Failure | null): VisitFailure {
  if (!outcome.ok) return outcome.value;
  const { peerId, lease, agent } = outcome.value;
  return { peerId, lease, agent, failure: notRecorded ?? failureFrom('record', 'unknown') };
}
