import { type CrowdLimits, ipOfMultiaddr } from '../../consensus/address-policy.ts';
import type { PeerLink } from '../ports/peer-link.ts';
import { createGuests, FOR_GOOD, type Guest } from './guests.ts';

/**
 * Connections from peers that no visit uses: those of peers that we cannot dial are kept, and looked at once an epoch; the others
 * are let go after a while, so that they need not dial again at once. A place has so many and no more, and who is only let go
 * later makes room for who is kept. A connection that has ended is in the room no more.
 */
export interface WaitingRoom {
  /**
   * Keeps the connection until the peer ends it, in place of an older one of the same peer, which is held until `untilMs`; false,
   * and nothing changed, when there is no room, or the peer has a newer one here.
   */
  keep(link: PeerLink, untilMs: number): boolean;
  /** Holds the connection until then; false when there is no room. */
  hold(link: PeerLink, untilMs: number): boolean;
  /** A visit uses it now: it has its place, and nothing else becomes of it before it is kept or held anew. */
  lend(link: PeerLink): void;
  /** Whether a connection of the peer is here. */
  has(peerId: string): boolean;
  /** Those that no visit uses, in the order in which they came. */
  waiting(): readonly PeerLink[];
  /** Those of them that are kept. */
  kept(): readonly PeerLink[];
  /** Those whose time is over; they are in the room no more. */
  takeOverdue(nowMs: number): readonly PeerLink[];
  /** Connections in the room. */
  readonly size: number;
}

export interface WaitingRoomOptions {
  readonly capacity: number;
  /** Connections from one IP address, and from one /24 or /64. */
  readonly perPlace: CrowdLimits;
  /** Whether we can do without a connection that is kept, since we can dial the peer by now. */
  readonly isDialable: (peerId: string) => boolean;
  /** Ends the connection of who has to go for somebody else. */
  readonly onEvicted: (link: PeerLink) => void;
}

export function createWaitingRoom({ capacity, perPlace, isDialable, onEvicted }: WaitingRoomOptions): WaitingRoom {
  const guests = createGuests(perPlace);

  /** The one that has to go for a newcomer at this place, or nobody. */
  function dispensable(place: string, isKept: boolean): Guest | undefined {
    const held = guests.free().filter(({ untilMs }) => untilMs < FOR_GOOD);
    // Who is only held drives nobody from a place that is crowded.
    if (!isKept) return guests.hasRoomAt(place) ? held[0] : undefined;
    const spare = guests.free().filter(({ untilMs, link }) => untilMs === FOR_GOOD && isDialable(link.peerId));
    return [...held, ...spare].find((guest) => guests.hasRoomAt(place, guest));
  }

  function enter(link: PeerLink, untilMs: number): boolean {
    guests.get(link)?.depart();
    if (hasEnded(link)) return true;
    const place = ipOfMultiaddr(link.address) ?? '';
    if (guests.size >= capacity || !guests.hasRoomAt(place)) {
      const other = dispensable(place, untilMs === FOR_GOOD);
      if (other === undefined) return false;
      other.depart();
      onEvicted(other.link);
    }
    guests.admit(link, place, untilMs);
    return true;
  }

  return {
    keep(link, untilMs) {
      if (hasEnded(link)) return true;
      const others = guests.free().filter((guest) => guest.untilMs === FOR_GOOD && isTwin(guest.link, link));
      if (others.some((other) => other.link.openedMs > link.openedMs)) return false;
      // It may be an older one that has the place.
      for (const other of others) other.untilMs = untilMs;
      const isIn = enter(link, FOR_GOOD);
      if (!isIn) for (const other of others) other.untilMs = FOR_GOOD;
      return isIn;
    },
    hold: enter,
    lend(link) {
      const guest = guests.get(link);
      if (guest !== undefined) guest.isLent = true;
    },
    has: guests.includes,
    waiting: () => linksOf(guests.free()),
    kept: () => linksOf(guests.free().filter(({ untilMs }) => untilMs === FOR_GOOD)),
    takeOverdue(nowMs) {
      const overdue = guests.free().filter(({ untilMs }) => untilMs <= nowMs);
      for (const guest of overdue) guest.depart();
      return linksOf(overdue);
    },
    get size() {
      return guests.size;
    },
  };
}

function linksOf(guests: readonly Guest[]): readonly PeerLink[] {
  return guests.map(({ link }) => link);
}

/** Another connection of the same peer. */
function isTwin(one: PeerLink, other: PeerLink): boolean {
  return one !== other && one.peerId === other.peerId;
}

function hasEnded({ closed$ }: PeerLink): boolean {
  let ended = false;
  closed$
    .subscribe(() => {
      ended = true;
    })
    .unsubscribe();
  return ended;
}
