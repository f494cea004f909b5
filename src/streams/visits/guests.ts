import { Subscription } from 'rxjs';
import { type CrowdLimits, createCrowd } from '../../consensus/address-policy.ts';
import type { PeerLink } from '../ports/peer-link.ts';

/** A connection in the waiting room. */
export interface Guest {
  readonly link: PeerLink;
  /** The IP address that it comes from. */
  readonly place: string;
  /** {@link FOR_GOOD} for one that is kept. */
  untilMs: number;
  /** Whether a visit uses it. */
  isLent: boolean;
  depart(): void;
}

export const FOR_GOOD = Number.POSITIVE_INFINITY;

/** Who is in the waiting room, and how many of one place. Whose connection ends is here no more. */
export interface Guests {
  admit(link: PeerLink, place: string, untilMs: number): void;
  get(link: PeerLink): Guest | undefined;
  /** Whether a connection of the peer is here. */
  includes(peerId: string): boolean;
  /** Those that no visit uses, in the order in which they came. */
  free(): readonly Guest[];
  /** Whether one more may come from a place, if somebody departs. */
  hasRoomAt(place: string, departing?: Guest): boolean;
  readonly size: number;
}

export function createGuests(perPlace: CrowdLimits): Guests {
  /** In the order in which they came. */
  const guests = new Map<PeerLink, Guest>();
  const crowd = createCrowd(perPlace);

  return {
    admit(link, place, untilMs) {
      crowd.enter(place);
      const presence = new Subscription(() => {
        crowd.leave(place);
        guests.delete(link);
      });
      guests.set(link, { link, place, untilMs, isLent: false, depart: () => presence.unsubscribe() });
      presence.add(link.closed$.subscribe(() => presence.unsubscribe()));
    },
    get: (link) => guests.get(link),
    includes: (peerId) => [...guests.keys()].some((link) => link.peerId === peerId),
    free: () => [...guests.values()].filter(({ isLent }) => !isLent),
    hasRoomAt(place, departing) {
      if (departing === undefined) return crowd.hasRoom(place);
      crowd.leave(departing.place);
      const hasRoom = crowd.hasRoom(place);
      crowd.enter(departing.place);
      return hasRoom;
    },
    get size() {
      return guests.size;
    },
  };
}
