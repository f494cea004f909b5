import type { PeerState } from './peer.ts';

export interface RegistryChanges {
  readonly changed: readonly PeerState[];
  readonly forgotten: readonly string[];
}

/** Which records are to be written anew, and which to be removed, since they were last taken to be saved. */
export interface UnsavedPeers {
  /** A record has taken the place of the one before, if there was one. */
  stored(before: PeerState | undefined, after: PeerState): void;
  dropped(peerId: string): void;
  /** The records as they are now. */
  take(): RegistryChanges;
  /** Takes back what could not be saved; what has happened since counts. */
  giveBack(changes: RegistryChanges): void;
}

export function createUnsavedPeers(records: ReadonlyMap<string, PeerState>): UnsavedPeers {
  const changed = new Set<string>();
  const forgotten = new Set<string>();

  return {
    stored(before, after) {
      forgotten.delete(after.peerId);
      if (before === undefined || !onlyRescheduled(before, after)) changed.add(after.peerId);
    },
    dropped(peerId) {
      changed.delete(peerId);
      forgotten.add(peerId);
    },
    take() {
      const taken = { changed: [...changed].flatMap((peerId) => records.get(peerId) ?? []), forgotten: [...forgotten] };
      changed.clear();
      forgotten.clear();
      return taken;
    },
    giveBack(changes) {
      for (const { peerId } of changes.changed) if (records.has(peerId)) changed.add(peerId);
      for (const peerId of changes.forgotten) if (!records.has(peerId)) forgotten.add(peerId);
    },
  };
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
