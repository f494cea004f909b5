import { filter, map, type Observable, type SchedulerLike, switchMap } from 'rxjs';
import type { Registry } from '../../actors/registry.ts';
import type { NetworkClock } from '../../consensus/clock.ts';
import type { Slots } from '../flow/slots.ts';
import { GOODBYE, type PeerLink } from '../ports/peer-link.ts';
import { type ConnectedVisit, type VisitOutcome, visitSucceeded } from '../visit.ts';
import type { VisitTally } from '../visit-tally.ts';
import type { Send } from './peers.ts';
import type { VisitLedger } from './visit-ledger.ts';

export interface InboundVisitsOptions {
  readonly registry: Pick<Registry, 'get'>;
  readonly send: Send;
  readonly ledger: VisitLedger;
  readonly slots: Slots;
  readonly tally: Pick<VisitTally, 'turnedAway'>;
  readonly clock: NetworkClock;
  /** Whether its operator asked us to leave the peer alone. */
  readonly declines: (peerId: string, address: string) => boolean;
}

/** Begins the visits of peers that dial us. */
export interface InboundVisits {
  /** `null` when there is to be no visit; the connection is ended then. */
  adopt(link: PeerLink, nowMs: number): ConnectedVisit | null;
  /** For want of room. */
  turnAway(link: PeerLink): null;
}

export function inboundVisits(options: InboundVisitsOptions): InboundVisits {
  const { registry, send, ledger, slots, tally, clock, declines } = options;

  function turnAway(link: PeerLink): null {
    tally.turnedAway();
    link.hangUp(GOODBYE.tooManyPeers);
    return null;
  }

  return {
    turnAway,
    adopt(link, nowMs) {
      const { peerId } = link;
      if (declines(peerId, link.address)) {
        link.hangUp(GOODBYE.clientShutdown);
        return null;
      }
      if (!slots.tryTake()) return turnAway(link);
      const verdict = send(peerId, { type: 'inbound', nowMs, epoch: clock.epochAt(nowMs) });
      if (!verdict.some(({ type }) => type === 'adopt')) {
        slots.release();
        link.hangUp(GOODBYE.clientShutdown);
        return null;
      }
      const lease = ledger.begin(peerId, { slots, nowMs, addresses: [] });
      ledger.connected({ peerId, lease }, link);
      return { peerId, lease, enr: registry.get(peerId)?.enr ?? null, link };
    },
  };
}

export interface AdoptedOptions {
  readonly inbound: InboundVisits;
  /** Who comes while it is shut is turned away, not left waiting. */
  readonly isOpen$: Observable<boolean>;
  readonly scheduler: Pick<SchedulerLike, 'now'>;
}

/** The visits that connections from peers begin. */
export function adopted(
  inbound$: Observable<PeerLink>,
  { inbound, isOpen$, scheduler }: AdoptedOptions,
): Observable<VisitOutcome<ConnectedVisit>> {
  return isOpen$.pipe(
    switchMap((isOpen) =>
      inbound$.pipe(map((link) => (isOpen ? inbound.adopt(link, scheduler.now()) : inbound.turnAway(link)))),
    ),
    filter((visit) => visit !== null),
    map(visitSucceeded<ConnectedVisit>),
  );
}
