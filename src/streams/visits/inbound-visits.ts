import { concatMap, filter, interval, map, merge, type Observable, type SchedulerLike, switchMap, tap } from 'rxjs';
import { canDial } from '../../actors/can-dial.ts';
import { isInFlight, type PeerState } from '../../actors/peer.ts';
import { visitTimeMs } from '../../actors/schedule.ts';
import type { NetworkClock } from '../../consensus/clock.ts';
import type { Leaving } from '../../consensus/manners/goodbye.ts';
import type { Slots } from '../flow/slots.ts';
import type { PeerLink } from '../ports/peer-link.ts';
import { type ConnectedVisit, type VisitOutcome, visitSucceeded } from '../visit.ts';
import type { TurnedAway } from '../visit-tally.ts';
import { createKeeping, type KeepingOptions } from './keeping.ts';
import type { Send } from './peers.ts';
import type { VisitLedger } from './visit-ledger.ts';

export interface InboundVisitsOptions extends KeepingOptions {
  readonly send: Send;
  readonly ledger: VisitLedger;
  readonly slots: Slots;
  readonly clock: NetworkClock;
}

/** What becomes of connections that peers begin. */
export interface InboundVisits {
  /** A visit, if the peer has not been observed this epoch; else `null`, and the connection waits. */
  receive(link: PeerLink): ConnectedVisit | null;
  /** While there are no visits at all: the connection waits. */
  turnAway(link: PeerLink): null;
  /** Leaves those that have waited long enough. */
  letGo(): void;
  /** Visits on connections that wait, of peers whose time has come. */
  look(): readonly ConnectedVisit[];
}

export function inboundVisits(options: InboundVisitsOptions): InboundVisits {
  const { registry, send, ledger, slots, room, tally, clock, scheduler, declines } = options;
  const { wait, part, letGo, isWelcome } = createKeeping(options);
  /** The epoch in which a connection was looked at last, or the registry had no room for its peer. Once is enough, whatever came of it. */
  const lookedIn = new WeakMap<PeerLink, number>();

  function turnAway(link: PeerLink, reason: TurnedAway): null {
    tally.turnedAway(link.client(), reason);
    wait(link);
    return null;
  }

  /** @param look what the visit sees of the connection, which waits again when it has ended */
  function begin(link: PeerLink, look: PeerLink): ConnectedVisit | null {
    const { peerId } = link;
    if (!slots.tryTake()) return null;
    const nowMs = scheduler.now();
    const verdict = send(peerId, { type: 'inbound', nowMs, epoch: clock.epochAt(nowMs) });
    const isAdopted = verdict.some(({ type }) => type === 'adopt');
    if (isAdopted || registry.get(peerId) === undefined) lookedIn.set(link, clock.epochAt(look.openedMs));
    if (!isAdopted) {
      slots.release();
      return null;
    }
    const lease = ledger.begin(peerId, { slots, nowMs, addresses: [] });
    const visited = {
      ...look,
      leave: onceOnly((leaving: Leaving) => (leaving === 'unheard' ? part(link) : wait(link))),
    };
    ledger.connected({ peerId, lease }, visited);
    const enr = registry.get(peerId)?.enr ?? null;
    return { peerId, lease, enr, link: visited, ...(look === link ? {} : { isFurtherLook: true }) };
  }

  function receive(link: PeerLink): ConnectedVisit | null {
    if (declines(link.peerId, link.address)) return turnAway(link, 'opted-out');
    if (!slots.hasRoom()) return turnAway(link, 'no-slot');
    return begin(link, link) ?? turnAway(link, reasonFor(registry.get(link.peerId)));
  }

  function isDue(link: PeerLink, nowMs: number): boolean {
    const { peerId } = link;
    const peer = registry.get(peerId);
    if (!isWelcome(link) || isUnderWay(peer)) return false;
    const observedIn = peer?.lastObservedEpoch ?? -1;
    // Whom we can dial is dialled when its time comes again.
    if (canDial(peer) && observedIn >= 0) return false;
    const epoch = clock.epochAt(nowMs);
    const lastEpoch = Math.max(observedIn, lookedIn.get(link) ?? -1);
    return lastEpoch < 0 || (lastEpoch < epoch && visitTimeMs(clock, peerId, epoch) <= nowMs);
  }

  return {
    receive,
    turnAway: (link) => turnAway(link, 'paused'),
    letGo,
    look() {
      const nowMs = scheduler.now();
      return room.waiting().flatMap((link) => {
        // One after the other: a peer may have several connections here.
        const visit = slots.hasRoom() && isDue(link, nowMs) ? begin(link, link.again(nowMs)) : null;
        if (visit === null) return [];
        room.lend(link);
        return visit;
      });
    },
  };
}

/** Why a peer is not visited that may be: the registry knows it, unless there is no room in it. */
function reasonFor(peer: PeerState | undefined): TurnedAway {
  if (peer === undefined) return 'no-room';
  return isInFlight(peer) ? 'in-flight' : 'observed';
}

function isUnderWay(peer: PeerState | undefined): boolean {
  return peer !== undefined && isInFlight(peer);
}

function onceOnly<Argument>(work: (argument: Argument) => void): (argument: Argument) => void {
  let isDone = false;
  return (argument) => {
    if (isDone) return;
    isDone = true;
    work(argument);
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
        tap(() => inbound.letGo()),
        concatMap(() => (isOpen ? inbound.look() : [])),
      );
      return merge(received$, looks$);
    }),
    filter((visit) => visit !== null),
    map(visitSucceeded<ConnectedVisit>),
  );
}
