import { canDial } from '../../actors/can-dial.ts';
import { addressesToDial } from '../../actors/peer.ts';
import type { Registry } from '../../actors/registry.ts';
import { type CrowdLimits, createCrowd, ipOfMultiaddr } from '../../consensus/address-policy.ts';
import type { Slots } from '../flow/slots.ts';
import type { DueVisit } from '../visit.ts';
import type { Send } from './peers.ts';
import type { VisitLedger } from './visit-ledger.ts';

export interface DueVisitsOptions {
  readonly registry: Pick<Registry, 'takeDue'>;
  readonly send: Send;
  readonly ledger: VisitLedger;
  readonly slots: Pick<Slots, 'release'>;
  /** Visits in flight to one IP address, and to one /24 or /64. */
  readonly perPlace: CrowdLimits;
  /** Whether a connection from the peer waits, on which it will be looked at. */
  readonly isWaiting: (peerId: string) => boolean;
}

/** A peer whose place is being dialled enough is looked at again after this long. */
const POSTPONE_MS = 1_000;

/** Begins the visits that we make: gives the next one that is due and whose place is not being dialled too often. */
export function dueVisits({ registry, send, ledger, slots, perPlace, isWaiting }: DueVisitsOptions) {
  const crowd = createCrowd(perPlace);

  /** A visit slot that also holds a place at its address. */
  function visitAt(place: string): Pick<Slots, 'release'> {
    crowd.enter(place);
    return {
      release() {
        crowd.leave(place);
        slots.release();
      },
    };
  }

  return (nowMs: number): DueVisit | null => {
    for (let peer = registry.takeDue(nowMs); peer !== null; peer = registry.takeDue(nowMs)) {
      const addresses = addressesToDial(peer);
      const place = placeOf(addresses);
      // Whom we cannot dial is looked at on the connection that it keeps with us.
      if (!crowd.hasRoom(place) || (!canDial(peer) && isWaiting(peer.peerId))) {
        send(peer.peerId, { type: 'postponed', untilMs: nowMs + POSTPONE_MS });
        continue;
      }
      const lease = ledger.begin(peer.peerId, { slots: visitAt(place), nowMs, addresses });
      return { peerId: peer.peerId, lease, enr: peer.enr, addresses };
    }
    return null;
  };
}

/** The IP address a visit goes to; a visit without one goes nowhere. */
function placeOf(addresses: readonly string[]): string {
  return ipOfMultiaddr(addresses[0] ?? '') ?? '';
}
