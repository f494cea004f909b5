import type { NetworkClock } from '../consensus/clock.ts';
import { createLivePeers } from './live-peers.ts';
import { dueAtMs, newPeer, type PeerEffect, type PeerMessage, type PeerState } from './peer.ts';
import { countPeers, type PeerCounts } from './peer-counts.ts';
import { createPeerRecords } from './peer-records.ts';
import { visitTimeMs } from './schedule.ts';
import type { RegistryChanges } from './unsaved-peers.ts';
import { createVacancies } from './vacancies.ts';
import { KEEP_OBSERVED_MS } from './worth.ts';

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

export interface RegistryCounts extends PeerCounts {
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
  const records = createPeerRecords(restored, maxPeers);
  const { byId } = records;
  const live = createLivePeers({ records, perform, onWake });
  const keepObservedEpochs = KEEP_OBSERVED_MS / clock.epochMs;
  const vacancies = createVacancies({ records, maxPeers, keepObservedEpochs, isBusy: live.has });
  let currentEpoch = Number.NEGATIVE_INFINITY;

  /** What is known of a peer that nobody knew; `null` when the message makes nobody known, or there is no room. */
  function newcomer(peerId: string, message: PeerMessage): PeerState | null {
    if (message.type !== 'discovered' && message.type !== 'inbound') return null;
    const peer = newPeer(peerId, message.nowMs);
    if (vacancies.make(currentEpoch)) return peer;
    if (message.type === 'inbound') perform({ type: 'decline' }, peer);
    return null;
  }

  function send(peerId: string, message: PeerMessage): void {
    const peer = live.get(peerId) ?? byId.get(peerId) ?? newcomer(peerId, message);
    if (peer === null) return;
    const after = live.deliver(peer, message);
    if (hasMissedTick(after, currentEpoch)) send(peerId, tickOf(clock, peerId, currentEpoch));
  }

  return {
    send,
    wants(peerId, enrSequence) {
      const known = byId.get(peerId);
      if (known === undefined) return vacancies.offer(currentEpoch);
      return known.enr === null || enrSequence > known.enrSequence;
    },
    tick(epoch) {
      if (epoch <= currentEpoch) return;
      currentEpoch = epoch;
      for (const peerId of [...byId.keys()]) send(peerId, tickOf(clock, peerId, epoch));
    },
    takeDue(nowMs) {
      const next = records.firstDue();
      if (next === undefined || dueAtMs(next) > nowMs) return null;
      send(next.peerId, { type: 'due' });
      const peer = byId.get(next.peerId);
      return peer?.phase.name === 'dialing' ? peer : null;
    },
    nextDueMs() {
      const next = records.firstDue();
      return next === undefined ? Number.POSITIVE_INFINITY : dueAtMs(next);
    },
    get: (peerId) => byId.get(peerId),
    takeChanges: records.unsaved.take,
    returnChanges: records.unsaved.giveBack,
    counts: (nowMs) => ({
      ...countPeers(byId.values(), nowMs),
      refused: vacancies.refused,
      evicted: vacancies.evicted,
    }),
    records: () => byId.values(),
  };
}

function tickOf(clock: NetworkClock, peerId: string, epoch: number): PeerMessage {
  return { type: 'tick', epoch, dueMs: visitTimeMs(clock, peerId, epoch), epochMs: clock.epochMs };
}

/** A visit that began in the last epoch and ended in this one has missed the tick. */
function hasMissedTick({ phase, lastObservedEpoch, lastFailure }: PeerState, epoch: number): boolean {
  return phase.name === 'resting' && phase.untilMs === null && lastObservedEpoch < epoch && lastFailure === null;
}
