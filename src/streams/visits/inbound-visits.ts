import { filter, interval, map, merge, mergeAll, type Observable, type SchedulerLike, switchMap } from 'rxjs';
import { canDial } from '../../actors/can-dial.ts';
import { isInFlight, type PeerState } from '../../actors/peer.ts';
import type { Registry } from '../../actors/registry.ts';
import { visitTimeMs } from '../../actors/schedule.ts';
import type { NetworkClock } from '../../consensus/clock.ts';
import type { Slots } from '../flow/slots.ts';
import type { PeerLink } from '../ports/peer-link.ts';
import { type ConnectedVisit, type VisitOutcome, visitSucceeded } from '../visit.ts';
import type { TurnedAway, VisitTally } from '../visit-tally.ts';
import type { Patience } from './patience.ts';
import type { Send } from './peers.ts';
import type { VisitLedger } from './visit-ledger.ts';
import type { WaitingRoom } from './waiting-room.ts';

export interface InboundVisitsOptions {
  readonly registry: Pick<Registry, 'get'>;
  readonly send: Send;
  readonly ledger: VisitLedger;
  readonly slots: Slots;
  readonly room: WaitingRoom;
  readonly patience: Patience;
  readonly tally: Pick<VisitTally, 'turnedAway'>;
  readonly clock: NetworkClock;
  readonly scheduler: Pick<SchedulerLike, 'now'>;
  /** Whether its operator asked us to leave the peer alone. */
  readonly declines: (peerId: string, address: string) => boolean;
}

/** What becomes of connections that peers begin. */
export interface InboundVisits {
  /** A visit, if the peer has not been observed this epoch; else `null`, and the connection waits, or is left in the end. */
  receive(link: PeerLink): ConnectedVisit | null;
  /** While there are no visits at all. */
  turnAway(link: PeerLink): null;
  /** Visits on connections that wait, of peers whose time has come; leaves those that have waited long enough. */
  look(): readonly ConnectedVisit[];
}

export function inboundVisits(options: InboundVisitsOptions): InboundVisits {
  const { registry, send, ledger, slots, room, patience, tally, clock, scheduler, declines } = options;

  function leave(link: PeerLink): void {
    link.leave('declined', { isDialable: canDial(registry.get(link.peerId)) });
  }

  /** Keeps whom we cannot dial, and lets the others go when they have been answered. */
  function wait(link: PeerLink, reason: TurnedAway | null): null {
    const { peerId } = link;
    if (reason !== null) tally.turnedAway(link.client(), reason);
    const nowMs = scheduler.now();
    const isKept = reason !== 'opted-out' && !canDial(registry.get(peerId)) && room.keep(link);
    if (isKept || room.hold(link, nowMs + patience.holdMs(peerId, nowMs))) return null;
    tally.turnedAway(link.client(), 'no-room');
    leave(link);
    return null;
  }

  /** @param look what the visit sees of the connection, which waits again when it has ended */
  function visit(link: PeerLink, look: PeerLink): ConnectedVisit | null {
    const { peerId } = link;
    if (!slots.tryTake()) return wait(link, 'no-slot');
    const nowMs = scheduler.now();
    const verdict = send(peerId, { type: 'inbound', nowMs, epoch: clock.epochAt(nowMs) });
    if (!verdict.some(({ type }) => type === 'adopt')) {
      slots.release();
      return wait(link, isUnderWay(registry.get(peerId)) ? 'in-flight' : 'observed');
    }
    const lease = ledger.begin(peerId, { slots, nowMs, addresses: [] });
    const visited = { ...look, leave: onceOnly(() => wait(link, null)) };
    ledger.connected({ peerId, lease }, visited);
    return { peerId, lease, enr: registry.get(peerId)?.enr ?? null, link: visited };
  }

  function isDue({ peerId, address }: PeerLink, nowMs: number): boolean {
    const peer = registry.get(peerId);
    if (declines(peerId, address) || isUnderWay(peer)) return false;
    const epoch = clock.epochAt(nowMs);
    if (peer === undefined || peer.lastObservedEpoch < 0) return true;
    return peer.lastObservedEpoch < epoch && visitTimeMs(clock, peerId, epoch) <= nowMs;
  }

  return {
    turnAway: (link) => wait(link, 'paused'),
    receive: (link) => (declines(link.peerId, link.address) ? wait(link, 'opted-out') : visit(link, link)),
    look() {
      const nowMs = scheduler.now();
      for (const link of room.takeOverdue(nowMs)) leave(link);
      const due = slots.hasRoom() ? room.waiting().filter((link) => isDue(link, nowMs)) : [];
      return due.flatMap((link) => (slots.hasRoom() ? (visit(link, link.again(nowMs)) ?? []) : []));
    },
  };
}

function isUnderWay(peer: PeerState | undefined): boolean {
  return peer !== undefined && isInFlight(peer);
}

function onceOnly(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}

export interface AdoptedOptions {
  readonly inbound: InboundVisits;
  /** Who comes while it is shut waits. */
  readonly isOpen$: Observable<boolean>;
  readonly scheduler: SchedulerLike;
}

const LOOK_MS = 250;

/** The visits that connections from peers begin, when they come and while they are kept. */
export function adopted(
  inbound$: Observable<PeerLink>,
  { inbound, isOpen$, scheduler }: AdoptedOptions,
): Observable<VisitOutcome<ConnectedVisit>> {
  return isOpen$.pipe(
    switchMap((isOpen) => {
      const received$ = inbound$.pipe(map((link) => (isOpen ? inbound.receive(link) : inbound.turnAway(link))));
      const looks$ = interval(LOOK_MS, scheduler).pipe(
        map(() => inbound.look()),
        mergeAll(),
      );
      return isOpen ? merge(received$, looks$) : received$;
    }),
    filter((visit) => visit !== null),
    map(visitSucceeded<ConnectedVisit>),
  );
}
