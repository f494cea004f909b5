import { concatMap, filter, interval, map, merge, type Observable, type SchedulerLike, switchMap, tap } from 'rxjs';
import { canDial, needNotDial } from '../../actors/can-dial.ts';
import { isInFlight, type PeerState } from '../../actors/peer.ts';
import type { Registry } from '../../actors/registry.ts';
import { visitTimeMs } from '../../actors/schedule.ts';
import type { NetworkClock } from '../../consensus/clock.ts';
import type { Cause } from '../../consensus/failure.ts';
import type { Slots } from '../flow/slots.ts';
import type { PeerLink } from '../ports/peer-link.ts';
import { type ConnectedVisit, type VisitOutcome, visitSucceeded } from '../visit.ts';
import type { TurnedAway, VisitTally } from '../visit-tally.ts';
import { ANSWERED_MS, type Patience } from './patience.ts';
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
  /** A visit, if the peer has not been observed this epoch; else `null`, and the connection waits. */
  receive(link: PeerLink): ConnectedVisit | null;
  /** While there are no visits at all: the connection waits. */
  turnAway(link: PeerLink): null;
  /** Leaves those that have waited long enough. */
  letGo(): void;
  /** Visits on connections that wait, of peers whose time has come. */
  look(): readonly ConnectedVisit[];
}

/** Whoever says so, or whose record does, is no longer kept. */
const UNWELCOME: ReadonlySet<Cause | undefined> = new Set<Cause>(['wrong_fork', 'gated']);

export function inboundVisits(options: InboundVisitsOptions): InboundVisits {
  const { registry, send, ledger, slots, room, patience, tally, clock, scheduler, declines } = options;
  /** The epoch in which a connection was looked at last. Once is enough, whatever came of it. */
  const lookedIn = new WeakMap<PeerLink, number>();

  function isWelcome({ peerId, address }: PeerLink): boolean {
    return !declines(peerId, address) && !UNWELCOME.has(registry.get(peerId)?.lastFailure?.cause);
  }

  function leave(link: PeerLink): void {
    const { peerId, address } = link;
    // Nor need somebody come again who asked to be left alone.
    link.leave('declined', { isDialable: declines(peerId, address) || needNotDial(registry.get(peerId)) });
  }

  /** Keeps whom we cannot dial, and lets the others go when they have been answered. */
  function wait(link: PeerLink): void {
    const { peerId, address } = link;
    const mayStay = !declines(peerId, address) && !canDial(registry.get(peerId));
    if (!mayStay || !room.keep(link, scheduler.now() + ANSWERED_MS)) hold(link);
  }

  function hold(link: PeerLink): void {
    const { peerId } = link;
    const nowMs = scheduler.now();
    if (room.hold(link, nowMs + patience.holdMs(peerId, nowMs))) return;
    tally.turnedAway(link.client(), 'no-room');
    leave(link);
  }

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
    lookedIn.set(link, clock.epochAt(look.openedMs));
    const verdict = send(peerId, { type: 'inbound', nowMs, epoch: clock.epochAt(nowMs) });
    if (!verdict.some(({ type }) => type === 'adopt')) {
      slots.release();
      return null;
    }
    const lease = ledger.begin(peerId, { slots, nowMs, addresses: [] });
    const visited = { ...look, leave: onceOnly(() => wait(link)) };
    ledger.connected({ peerId, lease }, visited);
    return { peerId, lease, enr: registry.get(peerId)?.enr ?? null, link: visited };
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
    // Whom we can dial is dialled when its time comes again.
    if (canDial(peer) && lookedIn.has(link)) return false;
    const epoch = clock.epochAt(nowMs);
    const lastEpoch = Math.max(peer?.lastObservedEpoch ?? -1, lookedIn.get(link) ?? -1);
    return lastEpoch < 0 || (lastEpoch < epoch && visitTimeMs(clock, peerId, epoch) <= nowMs);
  }

  return {
    receive,
    turnAway: (link) => turnAway(link, 'paused'),
    letGo() {
      for (const link of room.takeOverdue(scheduler.now())) leave(link);
      // What makes somebody unwelcome is known when its visit has ended, and it is kept by then.
      for (const link of room.kept()) if (!isWelcome(link)) hold(link);
    },
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
        tap(() => inbound.letGo()),
        concatMap(() => (isOpen ? inbound.look() : [])),
      );
      return merge(received$, looks$);
    }),
    filter((visit) => visit !== null),
    map(visitSucceeded<ConnectedVisit>),
  );
}
