import { dueAtMs, isInFlight, type PeerState } from './peer.ts';
import { createPeerQueue } from './peer-queue.ts';
import { createUnsavedPeers, type UnsavedPeers } from './unsaved-peers.ts';
import { dispensability } from './worth.ts';

/** All peers as plain records: by id, in the order in which they are due, and in the order in which they can be spared. */
export interface PeerRecords {
  readonly byId: ReadonlyMap<string, PeerState>;
  /** Puts a record in the place of the one before. Says whether the peer has got another place among those that are due. */
  put(peer: PeerState): boolean;
  drop(peerId: string): void;
  /** Who is due first, at `dueAtMs`; none of those that only a message can make due. */
  firstDue(): PeerState | undefined;
  /** Who is worth least of those that may go. */
  leastWorth(): PeerState | undefined;
  readonly unsaved: Pick<UnsavedPeers, 'take' | 'giveBack'>;
}

/** @param restored records of an earlier run, of which so many are taken as there may be: those need no saving */
export function createPeerRecords(restored: Iterable<PeerState>, maxPeers: number): PeerRecords {
  const byId = new Map<string, PeerState>();
  const waiting = createPeerQueue(byId, (peer) => {
    const dueMs = dueAtMs(peer);
    return dueMs === Number.POSITIVE_INFINITY ? null : [dueMs];
  });
  const dispensable = createPeerQueue(byId, dispensability);
  const unsaved = createUnsavedPeers(byId);

  function put(peer: PeerState): boolean {
    const before = byId.get(peer.peerId);
    byId.set(peer.peerId, peer);
    unsaved.stored(before, peer);
    dispensable.noted(before, peer);
    return waiting.noted(before, peer);
  }

  for (const peer of restored) {
    if (byId.size < maxPeers) put(resumed(peer));
  }
  unsaved.take();

  return {
    byId,
    put,
    drop(peerId) {
      byId.delete(peerId);
      unsaved.dropped(peerId);
    },
    firstDue: waiting.first,
    leastWorth: dispensable.first,
    unsaved,
  };
}

/** As an earlier run left it, but a visit that was under way is due again, and the first tick schedules the others. */
function resumed(peer: PeerState): PeerState {
  if (isInFlight(peer)) return { ...peer, phase: { name: 'known' } };
  return peer.phase.name === 'resting' ? { ...peer, phase: { name: 'resting', untilMs: null } } : peer;
}
