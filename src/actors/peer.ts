import type { Direction } from '../consensus/events.ts';
import type { Failure } from '../consensus/failure.ts';
import type { Step } from './actor.ts';
import { backoffMs, FORGET_AFTER_EPOCHS, FORGET_AFTER_FAILURES } from './schedule.ts';

/**
 * The life of one peer as a pure transition:
 *
 *     known → dialing → handshaking → probing → resting → dialing …
 *               └────────────┴───────────┴──▶ backing-off → dialing …          forgotten
 *
 * An inbound connection enters at `handshaking`. The state is plain data: it is what the peerstore keeps on disk.
 */

export type PeerPhase =
  /** Due at once. */
  | { readonly name: 'known' }
  | { readonly name: 'dialing' }
  | { readonly name: 'handshaking' }
  | { readonly name: 'probing' }
  /** Observed (or found full) this epoch; the next epoch tick sets `untilMs`, `null` before. */
  | { readonly name: 'resting'; readonly untilMs: number | null }
  | { readonly name: 'backing-off'; readonly untilMs: number }
  | { readonly name: 'forgotten' };

export interface PeerState {
  readonly peerId: string;
  /** `null` for a peer that dialled us and is not known to discovery. */
  readonly enr: string | null;
  readonly enrSequence: bigint;
  /** Multiaddrs, most preferred first. */
  readonly addresses: readonly string[];
  readonly phase: PeerPhase;
  /** Failures in a row. */
  readonly failures: number;
  readonly lastFailure: Failure | null;
  readonly firstSeenMs: number;
  /** The last time it proved to be alive, or was first heard of. */
  readonly lastAliveMs: number;
  /** -1 before the first observation. */
  readonly lastObservedEpoch: number;
  readonly observations: number;
  /** Agent string of the last observation. */
  readonly agent: string | null;
  /** Whether the last time that we dialled it nothing came of it: behind NAT, full, or refusing us. */
  readonly isUnreachable: boolean;
  /** Whether a dial of ours has ever brought a connection. One that the peer had begun itself is no sign of that. */
  readonly wasReached: boolean;
}

export type PeerMessage =
  | {
      readonly type: 'discovered';
      readonly enr: string;
      readonly enrSequence: bigint;
      readonly addresses: readonly string[];
      readonly nowMs: number;
    }
  /** A slot is free and the peer's time has come. */
  | { readonly type: 'due' }
  | {
      readonly type: 'dialed';
      readonly nowMs: number;
      /** Who began the connection: libp2p gives whoever dials the one that is there already. */
      readonly direction: Direction;
    }
  | { readonly type: 'handshaken' }
  /** Handed out at a bad moment: its place is crowded. */
  | { readonly type: 'postponed'; readonly untilMs: number }
  | { readonly type: 'observed'; readonly nowMs: number; readonly epoch: number; readonly agent: string | null }
  | {
      readonly type: 'failed';
      readonly failure: Failure;
      /** Addresses that the visit tried; none when the peer dialled us. */
      readonly dialed: readonly string[];
      readonly nowMs: number;
      readonly epochMs: number;
    }
  /** The peer dialled us. */
  | { readonly type: 'inbound'; readonly nowMs: number; readonly epoch: number }
  | { readonly type: 'tick'; readonly epoch: number; readonly dueMs: number; readonly epochMs: number };

export type PeerEffect =
  /** Hand its connection to the handshake stage. */
  | { readonly type: 'adopt' }
  /** Close its connection: it is being visited, or has been this epoch. */
  | { readonly type: 'decline' }
  | { readonly type: 'forget' };

export function newPeer(peerId: string, nowMs: number): PeerState {
  return {
    peerId,
    enr: null,
    enrSequence: -1n,
    addresses: [],
    phase: { name: 'resting', untilMs: null },
    failures: 0,
    lastFailure: null,
    firstSeenMs: nowMs,
    lastAliveMs: nowMs,
    lastObservedEpoch: -1,
    observations: 0,
    agent: null,
    isUnreachable: false,
    wasReached: false,
  };
}

export function isInFlight({ phase }: PeerState): boolean {
  return phase.name === 'dialing' || phase.name === 'handshaking' || phase.name === 'probing';
}

/** When the peer wants its next visit, in Unix milliseconds; Infinity when only a message can make it due. */
export function dueAtMs({ phase, addresses }: PeerState): number {
  if (addresses.length === 0) return Number.POSITIVE_INFINITY;
  switch (phase.name) {
    case 'known':
      return Number.NEGATIVE_INFINITY;
    case 'resting':
      return phase.untilMs ?? Number.POSITIVE_INFINITY;
    case 'backing-off':
      return phase.untilMs;
    default:
      return Number.POSITIVE_INFINITY;
  }
}

/**
 * The addresses for the next visit. After a mismatch one at a time, since of several nobody can say which of them
 * belongs to somebody else.
 */
export function addressesToDial({ addresses, lastFailure }: PeerState): readonly string[] {
  return lastFailure?.cause === 'peer_id_mismatch' ? addresses.slice(0, 1) : addresses;
}

/** Messages that do not fit the phase change nothing: late news from a visit that has been given up, for example. */
export function peerTransition(state: PeerState, message: PeerMessage): Step<PeerState, PeerEffect> {
  if (state.phase.name === 'forgotten') return unchanged(state);
  switch (message.type) {
    case 'discovered':
      return onDiscovered(state, message);
    case 'due':
      return isInFlight(state) ? unchanged(state) : step({ ...state, phase: { name: 'dialing' } });
    case 'dialed':
      return state.phase.name === 'dialing' ? onDialed(state, message) : unchanged(state);
    case 'postponed':
      return state.phase.name === 'dialing'
        ? step({ ...state, phase: { name: 'backing-off', untilMs: message.untilMs } })
        : unchanged(state);
    case 'handshaken':
      return state.phase.name === 'handshaking' ? step({ ...state, phase: { name: 'probing' } }) : unchanged(state);
    case 'observed':
      return isInFlight(state) ? onObserved(state, message) : unchanged(state);
    case 'failed':
      return isInFlight(state) ? onFailed(state, message) : unchanged(state);
    case 'inbound':
      return isInFlight(state) || state.lastObservedEpoch >= message.epoch
        ? step(state, { type: 'decline' })
        : step({ ...state, phase: { name: 'handshaking' }, lastAliveMs: message.nowMs }, { type: 'adopt' });
    case 'tick':
      return onTick(state, message);
  }
}

type Of<Type extends PeerMessage['type']> = Extract<PeerMessage, { type: Type }>;

function onDiscovered(
  state: PeerState,
  { enr, enrSequence, addresses }: Of<'discovered'>,
): Step<PeerState, PeerEffect> {
  if (state.enr !== null && enrSequence <= state.enrSequence) return unchanged(state);
  const updated = { ...state, enr, enrSequence, addresses };
  const moved = addresses.join() !== state.addresses.join();
  // A first record makes a peer due; a newer one does when it gives a failing peer another chance.
  const dueNow =
    !isInFlight(state) &&
    (state.enr === null ? state.lastObservedEpoch < 0 : waitsForRecord(state) || (moved && state.failures > 0));
  return step(dueNow ? { ...updated, phase: { name: 'known' }, failures: 0, lastFailure: null } : updated);
}

function onDialed(state: PeerState, { nowMs, direction }: Of<'dialed'>): Step<PeerState, PeerEffect> {
  const connected: PeerState = { ...state, phase: { name: 'handshaking' }, lastAliveMs: nowMs };
  return step(direction === 'outbound' ? { ...connected, isUnreachable: false, wasReached: true } : connected);
}

function onObserved(state: PeerState, { nowMs, epoch, agent }: Of<'observed'>): Step<PeerState, PeerEffect> {
  return step({
    ...state,
    phase: { name: 'resting', untilMs: null },
    failures: 0,
    lastFailure: null,
    lastAliveMs: nowMs,
    lastObservedEpoch: Math.max(epoch, state.lastObservedEpoch),
    observations: state.observations + 1,
    agent: agent ?? state.agent,
  });
}

function onFailed(state: PeerState, message: Of<'failed'>): Step<PeerState, PeerEffect> {
  const { failure, nowMs, epochMs } = message;
  const failures = state.failures + 1;
  const addresses = addressesAfter(state, message);
  const mismatch = failure.cause === 'peer_id_mismatch';
  const waitMs = mismatch && addresses.length > 0 ? 0 : backoffMs(failure.cause, failures, epochMs);
  const phase: PeerPhase =
    waitMs === null ? { name: 'resting', untilMs: null } : { name: 'backing-off', untilMs: nowMs + waitMs };
  const isUnreachable = state.isUnreachable || message.dialed.length > 0;
  return step({ ...state, phase, addresses, failures, lastFailure: failure, isUnreachable });
}

/** An address that was tried alone and belongs to somebody else is dropped; one that failed otherwise goes last. */
function addressesAfter({ addresses, lastFailure }: PeerState, { failure, dialed }: Of<'failed'>): readonly string[] {
  const [alone, another] = dialed;
  if (alone === undefined || another !== undefined || !addresses.includes(alone)) return addresses;
  const others = addresses.filter((address) => address !== alone);
  if (failure.cause === 'peer_id_mismatch') return others;
  return lastFailure?.cause === 'peer_id_mismatch' ? [...others, alone] : addresses;
}

function onTick(state: PeerState, { dueMs, epochMs, epoch }: Of<'tick'>): Step<PeerState, PeerEffect> {
  if (isInFlight(state)) return unchanged(state);
  const longSilent = dueMs - state.lastAliveMs > FORGET_AFTER_EPOCHS * epochMs;
  const needsRecord = state.addresses.length === 0 || waitsForRecord(state);
  if (longSilent && (needsRecord || state.failures >= FORGET_AFTER_FAILURES)) {
    return step({ ...state, phase: { name: 'forgotten' } }, { type: 'forget' });
  }
  // One that is still due from the last epoch keeps its place.
  const unscheduled = state.phase.name === 'resting' && state.phase.untilMs === null;
  if (!unscheduled || state.lastObservedEpoch >= epoch) return unchanged(state);
  return step({ ...state, phase: { name: 'resting', untilMs: dueMs } });
}

function waitsForRecord({ phase }: PeerState): boolean {
  return phase.name === 'backing-off' && phase.untilMs === Number.POSITIVE_INFINITY;
}

function step(state: PeerState, ...effects: PeerEffect[]): Step<PeerState, PeerEffect> {
  return { state, effects };
}

function unchanged(state: PeerState): Step<PeerState, PeerEffect> {
  return { state, effects: [] };
}
