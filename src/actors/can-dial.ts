import type { PeerState } from './peer.ts';

/** Whether dialling the peer has a prospect: else it is met only when it dials us. */
export function canDial(peer: Pick<PeerState, 'addresses' | 'isUnreachable'> | undefined): boolean {
  return peer !== undefined && peer.addresses.length > 0 && !peer.isUnreachable;
}
