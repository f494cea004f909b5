import type { PeerState } from '../../actors/peer.ts';

/** Where the registry's records survive a restart. */
export interface PeerStore {
  load(): Promise<PeerState[]>;
  /** One transaction. */
  save(changed: readonly PeerState[], forgotten: readonly string[]): Promise<void>;
}
