/**
 * What can go wrong with one peer, as a closed list of stages and causes.
 *
 * A failing peer is a value, never a stream error: every step of the pipeline answers with an {@link Outcome}.
 * The list is the union of what other crawlers record, made finite so that it can label metrics.
 */

/** Where in a visit the failure happened, in the order a visit goes through them. */
export const STAGES = [
  'resolve',
  'dial',
  'security',
  'mux',
  'identify',
  'status',
  'metadata',
  'subscriptions',
  'record',
] as const;
export type Stage = (typeof STAGES)[number];

/** Why it failed. */
export const CAUSES = [
  'no_address',
  'private_address',
  'self',
  'gated',
  'refused',
  'timeout',
  'host_unreachable',
  'net_unreachable',
  'reset',
  'eof',
  'addr_unassignable',
  'fd_exhausted',
  'no_transport',
  'noise_failed',
  'peer_id_mismatch',
  'mux_failed',
  'protocol_unsupported',
  'resource_limited',
  'rate_limited',
  'too_many_peers',
  'banned',
  'fault',
  'wrong_fork',
  'irrelevant_network',
  'bad_response',
  'cancelled',
  'unknown',
] as const;
export type Cause = (typeof CAUSES)[number];

export interface Failure {
  readonly stage: Stage;
  readonly cause: Cause;
  /** For people only; bounded, and never matched on. */
  readonly detail?: string;
}

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

const MAX_DETAIL_LENGTH = 200;

export function success<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

export function failure(stage: Stage, cause: Cause, detail?: string): Failure {
  return detail === undefined ? { stage, cause } : { stage, cause, detail: detail.slice(0, MAX_DETAIL_LENGTH) };
}

export function failed<T = never>(stage: Stage, cause: Cause, detail?: string): Outcome<T> {
  return { ok: false, failure: failure(stage, cause, detail) };
}

/**
 * When a peer that failed for this cause is worth another visit.
 *
 * - `soon`: a passing hiccup; exponential backoff from seconds.
 * - `later`: the node is likely gone or unreachable; backoff from minutes.
 * - `next-epoch`: it is alive, and busy.
 * - `when-less-full`: it is alive and has as many peers as it wants. That changes with every heartbeat of it: once more within
 *   the epoch, and from then on every epoch.
 * - `when-forgiven`: it does not let us in. Often that is for minutes (Lighthouse refuses whom it has pruned for ten), seldom for hours:
 *   a few times within two epochs, then at growing distances.
 * - `new-record`: only a newer ENR can change the answer.
 */
export type RetryClass = 'soon' | 'later' | 'next-epoch' | 'when-less-full' | 'when-forgiven' | 'new-record';

export const RETRY_CLASS: Readonly<Record<Cause, RetryClass>> = {
  no_address: 'new-record',
  private_address: 'new-record',
  self: 'new-record',
  gated: 'later',
  refused: 'later',
  timeout: 'later',
  host_unreachable: 'later',
  net_unreachable: 'later',
  reset: 'soon',
  eof: 'soon',
  addr_unassignable: 'later',
  fd_exhausted: 'soon',
  no_transport: 'new-record',
  noise_failed: 'later',
  peer_id_mismatch: 'new-record',
  mux_failed: 'later',
  protocol_unsupported: 'later',
  resource_limited: 'next-epoch',
  rate_limited: 'next-epoch',
  too_many_peers: 'when-less-full',
  banned: 'when-forgiven',
  fault: 'later',
  wrong_fork: 'new-record',
  irrelevant_network: 'new-record',
  bad_response: 'later',
  cancelled: 'soon',
  unknown: 'later',
};
