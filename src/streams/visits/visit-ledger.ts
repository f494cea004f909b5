import type { Slots } from '../flow/slots.ts';
import type { PeerLink } from '../ports/peer-link.ts';
import type { VisitKey } from '../visit.ts';

/**
 * Which visits are in flight and which slot each holds. A slot is given back exactly once, whether the visit ends by
 * itself or is given up, and an answer that comes after that is known to be late.
 */
export interface VisitLedger {
  /** Begins a visit that holds a slot; gives the lease that its answers carry. */
  begin(peerId: string, visit: VisitStart): number;
  /** Notes the connection of a visit; false when the visit is no longer in flight. */
  connected(key: VisitKey, link: PeerLink): boolean;
  /** Notes that the stages have answered, so that it is not given up any more; false when it is no longer in flight. */
  answered(key: VisitKey): boolean;
  holds(key: VisitKey): boolean;
  /** Gives the slot back; `null` when the visit is no longer in flight. */
  end(key: VisitKey): Pick<VisitStart, 'addresses'> | null;
  /** Visits that began before `beforeMs` and that the stages have not answered. */
  overdue(beforeMs: number): OverdueVisit[];
  readonly size: number;
}

export interface VisitStart {
  readonly slots: Pick<Slots, 'release'>;
  readonly nowMs: number;
  /** Addresses to be tried; none when the peer dialled us. */
  readonly addresses: readonly string[];
}

export interface OverdueVisit extends VisitKey {
  readonly link: PeerLink | null;
}

interface Visit extends VisitStart {
  readonly lease: number;
  link: PeerLink | null;
  answered: boolean;
}

export function createVisitLedger(): VisitLedger {
  const inFlight = new Map<string, Visit>();
  let leases = 0;

  function find({ peerId, lease }: VisitKey): Visit | null {
    const visit = inFlight.get(peerId);
    return visit?.lease === lease ? visit : null;
  }

  return {
    begin(peerId, start) {
      const lease = ++leases;
      inFlight.set(peerId, { ...start, lease, link: null, answered: false });
      return lease;
    },
    connected(key, link) {
      const visit = find(key);
      if (visit !== null) visit.link = link;
      return visit !== null;
    },
    answered(key) {
      const visit = find(key);
      if (visit !== null) visit.answered = true;
      return visit !== null;
    },
    holds: (key) => find(key) !== null,
    end(key) {
      const visit = find(key);
      if (visit === null) return null;
      inFlight.delete(key.peerId);
      visit.slots.release();
      return visit;
    },
    overdue: (beforeMs) =>
      [...inFlight].flatMap(([peerId, { lease, link, nowMs, answered }]) =>
        nowMs < beforeMs && !answered ? [{ peerId, lease, link }] : [],
      ),
    get size() {
      return inFlight.size;
    },
  };
}
