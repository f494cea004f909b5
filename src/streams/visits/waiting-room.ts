import { Subscription } from 'rxjs';
import { type CrowdLimits, createCrowd, ipOfMultiaddr } from '../../consensus/address-policy.ts';
import type { PeerLink } from '../ports/peer-link.ts';

/**
 * Connections from peers that no visit uses: those of peers that we cannot dial are kept, and looked at once an epoch; the others
 * are let go after a while, so that they need not dial again at once. A place has so many and no more, and who is only let go
 * later makes room for who is kept.
 */
export interface WaitingRoom {
  /** Keeps the connection until the peer ends it; false when there is no room. */
  keep(link: PeerLink): boolean;
  /** Holds the connection until then; false when there is no room. */
  hold(link: PeerLink, untilMs: number): boolean;
  /** Whether a connection of the peer is kept or held. */
  has(peerId: string): boolean;
  /** Those that are kept, or have not been looked at: whoever is due among them may be looked at. */
  waiting(): readonly PeerLink[];
  /** Those whose time is over; they are in the room no more. */
  takeOverdue(nowMs: number): readonly PeerLink[];
  /** Connections in the room. */
  readonly size: number;
}

export interface WaitingRoomOptions {
  readonly capacity: number;
  /** Connections from one IP address, and from one /24 or /64. */
  readonly perPlace: CrowdLimits;
  /** Ends the connection of who has to go for somebody else. */
  readonly onEvicted: (link: PeerLink) => void;
}

interface Guest {
  readonly link: PeerLink;
  /** Infinite for one that is kept. */
  readonly untilMs: number;
  leave(): void;
}

export function createWaitingRoom({ capacity, perPlace, onEvicted }: WaitingRoomOptions): WaitingRoom {
  /** In the order in which they came. */
  const guests = new Map<string, Guest>();
  const crowd = createCrowd(perPlace);

  function remove(peerId: string): void {
    guests.get(peerId)?.leave();
    guests.delete(peerId);
  }

  /** The one that has to go for somebody else who is kept, or for nobody. */
  function dispensable(): Guest | undefined {
    return [...guests.values()].find(({ untilMs }) => Number.isFinite(untilMs));
  }

  function enter(link: PeerLink, untilMs: number): boolean {
    const { peerId } = link;
    const before = guests.get(peerId);
    if (before !== undefined) {
      remove(peerId);
      if (before.link !== link) onEvicted(before.link);
    }
    const place = ipOfMultiaddr(link.address) ?? '';
    if (!crowd.hasRoom(place)) return false;
    if (guests.size >= capacity) {
      const other = dispensable();
      if (other === undefined) return false;
      remove(other.link.peerId);
      onEvicted(other.link);
    }
    crowd.enter(place);
    const presence = new Subscription(() => crowd.leave(place));
    guests.set(peerId, { link, untilMs, leave: () => presence.unsubscribe() });
    // It may have ended already, and says so at once.
    presence.add(
      link.closed$.subscribe(() => {
        if (guests.get(peerId)?.link === link) remove(peerId);
      }),
    );
    return true;
  }

  return {
    keep: (link) => enter(link, Number.POSITIVE_INFINITY),
    hold: enter,
    has: (peerId) => guests.has(peerId),
    waiting: () => [...guests.values()].map(({ link }) => link),
    takeOverdue(nowMs) {
      const overdue = [...guests.values()].filter(({ untilMs }) => untilMs <= nowMs).map(({ link }) => link);
      for (const { peerId } of overdue) remove(peerId);
      return overdue;
    },
    get size() {
      return guests.size;
    },
  };
}
