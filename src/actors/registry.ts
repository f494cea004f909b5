import type { NetworkClock } from '../consensus/clock.ts';
import { type Actor, createActor } from './actor.ts';
import {
  dueAtMs,
  isInFlight,
  newPeer,
  type PeerEffect,
  type PeerMessage,
  type PeerPhase,
  type PeerState,
  peerTransition,
} from './peer.ts';
import { createPeerQueue } from './peer-queue.ts';
import { visitTimeMs } from './schedule.ts';
import { dispensability, KEEP_OBSERVED_MS } from './worth.ts';

/**
 * All peers, and which of them is due next. It is the pipeline's buffer: discovered peers wait here as plain records,
 * and only a peer in flight has a live actor.
 */
export interface Registry {
  /** Delivers a message to a peer, which is made when unknown. In a full registry it takes the place of the least. */
  send(peerId: string, message: PeerMessage): void;
  /** Whether a record would be news: of an unknown peer that there is room for, or newer than what is known. */
  wants(peerId: string, enrSequence: bigint): boolean;
  /** Starts an epoch: every resting peer becomes due at its own moment in it. */
  tick(epoch: number): void;
  /** The next due peer, now in flight, or `null` when none is due at `nowMs`. */
  takeDue(nowMs: number): PeerState | null;
  /** When the next peer will be due; Infinity when none is waiting. */
  nextDueMs(): number;
  get(peerId: string): PeerState | undefined;
  /** Peers whose record is to be written anew since the last call, and the ids of those forgotten. */
  takeChanges(): RegistryChanges;
  /** Gives back changes that could not be saved: they come again with the next call. */
  returnChanges(changes: RegistryChanges): void;
  counts(nowMs: number): RegistryCounts;
  records(): IterableIterator<PeerState>;
}

export interface RegistryChanges {
  readonly changed: readonly PeerState[];
  readonly forgotten: readonly string[];
}

export interface RegistryCounts {
  readonly known: number;
  readonly due: number;
  readonly phases: Readonly<Record<PeerPhase['name'], number>>;
  /** Peers turned away because the registry was full, and nobody in it could go. */
  readonly refused: number;
  /** Peers that had to go because the registry was full. */
  readonly evicted: number;
}

export interface RegistryOptions {
  readonly clock: NetworkClock;
  /** No more are kept than this. */
  readonly maxPeers: number;
  /** Carries out what peers ask for; `forget` is dealt with inside. */
  readonly perform: (effect: PeerEffect, peer: PeerState) => void;
  /** Called when a peer may have become due earlier than before. */
  readonly onWake: () => void;
  /** Records of an earlier run. */
  readonly restored?: Iterable<PeerState>;
}

export function createRegistry({ clock, maxPeers, perform, onWake, restored = [] }: RegistryOptions): Registry {
  const records = new Map<string, PeerState>();
  const live = new Map<string, Actor<PeerState, PeerMessage>>();
  const changed = new Set<string>();
  const forgotten = new Set<string>();
  const waiting = createPeerQueue(records, (peer) => {
    const dueMs = dueAtMs(peer);
    return dueMs === Number.POSITIVE_INFINITY ? null : [dueMs];
  });
  const dispensable = createPeerQueue(records, dispensability);
  const keepObservedEpochs = KEEP_OBSERVED_MS / clock.epochMs;
  let currentEpoch = Number.NEGATIVE_INFINITY;
  let refused = 0;
  let evicted = 0;

  for (const peer of restored) {
    if (records.size < maxPeers) store(resumed(peer));
  }
  changed.clear();

  function store(peer: PeerState): void {
    const before = records.get(peer.peerId);
    records.set(peer.peerId, peer);
    forgotten.delete(peer.peerId);
    if (before === undefined || !onlyRescheduled(before, peer)) changed.add(peer.peerId);
    dispensable.noted(before, peer);
    if (waiting.noted(before, peer)) onWake();
  }

  /** The peer that would go for a newcomer. */
  function least(): PeerState | undefined {
    const peer = dispensable.first();
    if (peer === undefined || live.has(peer.peerId)) return undefined;
    // If the first was observed of late, so were all.
    const wasObserved = peer.lastObservedEpoch >= 0;
    return wasObserved && currentEpoch - 1 - peer.lastObservedEpoch < keepObservedEpochs ? undefined : peer;
  }

  function makeRoom(): boolean {
    if (records.size < maxPeers) return true;
    const peer = least();
    if (peer === undefined) return false;
    drop(peer.peerId);
    evicted++;
    return true;
  }

  function drop(peerId: string): void {
    records.delete(peerId);
    changed.delete(peerId);
    forgotten.add(peerId);
  }

  function send(peerId: string, message: PeerMessage): void {
    const inHand = live.get(peerId);
    if (inHand !== undefined) {
      inHand.send(message);
      settle(inHand);
      return;
    }
    const known = records.get(peerId);
    if (known === undefined && message.type !== 'discovered' && message.type !== 'inbound') return;
    if (known === undefined && !makeRoom()) {
      refused++;
      if (message.type === 'inbound') perform({ type: 'decline' }, newPeer(peerId, message.nowMs));
      return;
    }
    const nowMs = 'nowMs' in message ? message.nowMs : 0;
    const actor = createActor(known ?? newPeer(peerId, nowMs), peerTransition, onEffect);
    live.set(peerId, actor);
    actor.send(message);
    settle(actor);
  }

  /** Writes the state back, and lets the actor go when nothing is under way. */
  function settle(actor: Actor<PeerState, PeerMessage>): void {
    const peer = actor.state;
    if (peer.phase.name === 'forgotten') {
      live.delete(peer.peerId);
      return;
    }
    if (records.get(peer.peerId) !== peer) store(peer);
    if (isInFlight(peer)) return;
    live.delete(peer.peerId);
    // A visit that began in the last epoch and ended in this one has missed the tick.
    if (peer.phase.name === 'resting' && peer.phase.untilMs === null && peer.lastObservedEpoch < currentEpoch) {
      const dueMs = visitTimeMs(clock, peer.peerId, currentEpoch);
      if (peer.lastFailure === null)
        send(peer.peerId, { type: 'tick', epoch: currentEpoch, dueMs, epochMs: clock.epochMs });
    }
  }

  function onEffect(effect: PeerEffect, peer: PeerState): void {
    if (effect.type !== 'forget') {
      perform(effect, peer);
      return;
    }
    drop(peer.peerId);
  }

  function nextDueMs(): number {
    const next = waiting.first();
    return next === undefined ? Number.POSITIVE_INFINITY : dueAtMs(next);
  }

  return {
    send,
    wants(peerId, enrSequence) {
      const known = records.get(peerId);
      if (known !== undefined) return known.enr === null || enrSequence > known.enrSequence;
      if (records.size < maxPeers || least() !== undefined) return true;
      refused++;
      return false;
    },
    tick(epoch) {
      if (epoch <= currentEpoch) return;
      currentEpoch = epoch;
      for (const peerId of [...records.keys()]) {
        send(peerId, { type: 'tick', epoch, dueMs: visitTimeMs(clock, peerId, epoch), epochMs: clock.epochMs });
      }
    },
    takeDue(nowMs) {
      const next = waiting.first();
      if (next === undefined || dueAtMs(next) > nowMs) return null;
      send(next.peerId, { type: 'due' });
      const peer = records.get(next.peerId);
      return peer?.phase.name === 'dialing' ? peer : null;
    },
    nextDueMs,
    get: (peerId) => records.get(peerId),
    takeChanges() {
      const taken = { changed: [...changed].flatMap((peerId) => records.get(peerId) ?? []), forgotten: [...forgotten] };
      changed.clear();
      forgotten.clear();
      return taken;
    },
    returnChanges(changes) {
      for (const { peerId } of changes.changed) if (records.has(peerId)) changed.add(peerId);
      for (const peerId of changes.forgotten) if (!records.has(peerId)) forgotten.add(peerId);
    },
    counts(nowMs) {
      const phases = { known: 0, dialing: 0, handshaking: 0, probing: 0, resting: 0, 'backing-off': 0, forgotten: 0 };
      let due = 0;
      for (const peer of records.values()) {
        phases[peer.phase.name]++;
        if (dueAtMs(peer) <= nowMs) due++;
      }
      return { known: records.size, due, phases, refused, evicted };
    },
    records: () => records.values(),
  };
}

/** As an earlier run left it, but a visit that was under way is due again, and the first tick schedules the others. */
function resumed(peer: PeerState): PeerState {
  if (isInFlight(peer)) return { ...peer, phase: { name: 'known' } };
  return peer.phase.name === 'resting' ? { ...peer, phase: { name: 'resting', untilMs: null } } : peer;
}

/** When a resting peer is due next is not kept, or every tick would write every peer. */
function onlyRescheduled(before: PeerState, after: PeerState): boolean {
  return (
    before.phase.name === 'resting' &&
    after.phase.name === 'resting' &&
    before.lastObservedEpoch === after.lastObservedEpoch &&
    before.enrSequence === after.enrSequence
  );
}
