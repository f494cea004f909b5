import TinyQueue from 'tinyqueue';
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
import { visitTimeMs } from './schedule.ts';

/**
 * All peers, and which of them is due next. It is the pipeline's buffer: discovered peers wait here as plain records,
 * and only a peer in flight has a live actor.
 */
export interface Registry {
  /** Delivers a message to a peer, which is made when unknown (unless the registry is full). */
  send(peerId: string, message: PeerMessage): void;
  /** Starts an epoch: every resting peer becomes due at its own moment in it. */
  tick(epoch: number): void;
  /** The next due peer, now in flight, or `null` when none is due at `nowMs`. */
  takeDue(nowMs: number): PeerState | null;
  /** When the next peer will be due; Infinity when none is waiting. */
  nextDueMs(): number;
  get(peerId: string): PeerState | undefined;
  /** Records of peers that changed since the last call, and the ids of those forgotten. */
  takeChanges(): { readonly changed: PeerState[]; readonly forgotten: string[] };
  counts(nowMs: number): RegistryCounts;
  records(): IterableIterator<PeerState>;
}

export interface RegistryCounts {
  readonly known: number;
  readonly due: number;
  readonly phases: Readonly<Record<PeerPhase['name'], number>>;
  /** Peers turned away because the registry was full. */
  readonly refused: number;
}

export interface RegistryOptions {
  readonly clock: NetworkClock;
  /** Peers beyond this many are not taken in. */
  readonly maxPeers: number;
  /** Carries out what peers ask for; `forget` is dealt with inside. */
  readonly perform: (effect: PeerEffect, peer: PeerState) => void;
  /** Called when a peer may have become due earlier than before. */
  readonly onWake: () => void;
  /** Records of an earlier run. */
  readonly restored?: Iterable<PeerState>;
}

interface QueueEntry {
  readonly peerId: string;
  readonly dueMs: number;
}

export function createRegistry({ clock, maxPeers, perform, onWake, restored = [] }: RegistryOptions): Registry {
  const records = new Map<string, PeerState>();
  const live = new Map<string, Actor<PeerState, PeerMessage>>();
  const changed = new Set<string>();
  const forgotten = new Set<string>();
  /** Entries that no longer match their peer's due time are stale and skipped. */
  const queue = new TinyQueue<QueueEntry>([], (a, b) => (a.dueMs === b.dueMs ? 0 : a.dueMs < b.dueMs ? -1 : 1));
  let currentEpoch = Number.NEGATIVE_INFINITY;
  let refused = 0;

  for (const peer of restored) {
    if (records.size < maxPeers) store(isInFlight(peer) ? { ...peer, phase: { name: 'known' } } : peer);
  }
  changed.clear();

  function store(peer: PeerState): void {
    const before = records.get(peer.peerId);
    records.set(peer.peerId, peer);
    changed.add(peer.peerId);
    const dueMs = dueAtMs(peer);
    if (dueMs === Number.POSITIVE_INFINITY || (before !== undefined && dueAtMs(before) === dueMs)) return;
    queue.push({ peerId: peer.peerId, dueMs });
    onWake();
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
    if (known === undefined && records.size >= maxPeers) {
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
    records.delete(peer.peerId);
    changed.delete(peer.peerId);
    forgotten.add(peer.peerId);
  }

  function dropStale(): QueueEntry | undefined {
    for (let head = queue.peek(); head !== undefined; head = queue.peek()) {
      const peer = records.get(head.peerId);
      if (peer !== undefined && dueAtMs(peer) === head.dueMs) return head;
      queue.pop();
    }
    return undefined;
  }

  return {
    send,
    tick(epoch) {
      if (epoch <= currentEpoch) return;
      currentEpoch = epoch;
      for (const peerId of [...records.keys()]) {
        send(peerId, { type: 'tick', epoch, dueMs: visitTimeMs(clock, peerId, epoch), epochMs: clock.epochMs });
      }
    },
    takeDue(nowMs) {
      const head = dropStale();
      if (head === undefined || head.dueMs > nowMs) return null;
      queue.pop();
      send(head.peerId, { type: 'due' });
      const peer = records.get(head.peerId);
      return peer?.phase.name === 'dialing' ? peer : null;
    },
    nextDueMs: () => dropStale()?.dueMs ?? Number.POSITIVE_INFINITY,
    get: (peerId) => records.get(peerId),
    takeChanges() {
      const taken = { changed: [...changed].flatMap((peerId) => records.get(peerId) ?? []), forgotten: [...forgotten] };
      changed.clear();
      forgotten.clear();
      return taken;
    },
    counts(nowMs) {
      const phases = { known: 0, dialing: 0, handshaking: 0, probing: 0, resting: 0, 'backing-off': 0, forgotten: 0 };
      let due = 0;
      for (const peer of records.values()) {
        phases[peer.phase.name]++;
        if (dueAtMs(peer) <= nowMs) due++;
      }
      return { known: records.size, due, phases, refused };
    },
    records: () => records.values(),
  };
}
