import type { PeerState } from './peer.ts';

/** Whether dialling the peer has a prospect: else it is met only when it dials us. */
export function canDial(peer: Pick<PeerState, 'addresses' | 'isUnreachable'> | undefined): boolean {
  return peer !== undefined && peer.addresses.length > 0 && !peer.isUnreachable;
}

/** Whether the peer need not dial us, since we have dialled it: an address that was never tried may lead nowhere. */
export function needNotDial(peer: Pick<PeerState, 'addresses' | 'isUnreachable' | 'wasReached'> | undefined): boolean {
  return canDial(peer) && peer?.wasReached === true;
}
