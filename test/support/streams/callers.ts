import { ReplaySubject, Subject, VirtualTimeScheduler } from 'rxjs';
import type { PeerState } from '../../../src/actors/peer.ts';
import { type Failure, failure } from '../../../src/consensus/failure.ts';
import { createSlots } from '../../../src/streams/flow/slots.ts';
import type { PeerLink } from '../../../src/streams/ports/peer-link.ts';
import type { ConnectedVisit } from '../../../src/streams/visit.ts';
import { createVisitTally } from '../../../src/streams/visit-tally.ts';
import { adopted, inboundVisits } from '../../../src/streams/visits/inbound-visits.ts';
import { createPatience } from '../../../src/streams/visits/patience.ts';
import { createPeers } from '../../../src/streams/visits/peers.ts';
import { createVisitLedger } from '../../../src/streams/visits/visit-ledger.ts';
import { createWaitingRoom } from '../../../src/streams/visits/waiting-room.ts';
import { type FakeLink, fakeLink, type LinkBehaviour } from './link.ts';
import { CLOCK, EPOCH_MS } from './network.ts';

/** What becomes of peers that dial us, in virtual time; the visits themselves are played. */

export interface Call {
  readonly link: FakeLink;
  readonly atMs: number;
  /** When it was left, and as what. */
  readonly left: { readonly atMs: number; readonly isDialable: boolean | undefined }[];
  /** The peer ends the connection. */
  close(): void;
}

export interface CallersOptions {
  readonly known?: readonly PeerState[];
  readonly maxPeers?: number;
  readonly slots?: number;
  readonly capacity?: number;
  readonly perIp?: number;
  /** How long a visit takes. */
  readonly visitMs?: number;
  /** What is wrong with a peer when it is visited, if anything is. */
  readonly trouble?: (peerId: string) => Failure | null;
  readonly declines?: (peerId: string) => boolean;
  /** Whether nothing is said of topics in a visit; by how many there were before. */
  readonly isUnheard?: (before: number) => boolean;
}

export interface Visited {
  readonly peerId: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** Of the connection, as the visit saw it. */
  readonly openedMs: number;
}

export function callers(options: CallersOptions = {}) {
  const { visitMs = 100, trouble = () => null, capacity = 64, perIp = 1_000 } = options;
  const scheduler = new VirtualTimeScheduler();
  const isOpen$ = new Subject<boolean>();
  const inbound$ = new Subject<PeerLink>();
  const ledger = createVisitLedger();
  const slots = createSlots(options.slots ?? 16);
  const tally = createVisitTally();
  const { registry, send } = createPeers({
    clock: CLOCK,
    maxPeers: options.maxPeers ?? 100,
    restored: options.known ?? [],
  });
  const room = createWaitingRoom({
    capacity,
    perPlace: { perIp, perPrefix: 1_000 },
    isDialable: () => false,
    onEvicted: (link) => link.leave('no-room'),
  });
  const inbound = inboundVisits({
    registry,
    send,
    ledger,
    slots,
    room,
    patience: createPatience(),
    tally,
    clock: CLOCK,
    scheduler,
    declines: options.declines ?? (() => false),
  });
  const visits: Visited[] = [];
  const underWay = new Set<string>();

  function end({ peerId, lease, link }: ConnectedVisit, fromMs: number): void {
    link.leave(options.isUnheard?.(visits.length) ? 'unheard' : 'visited');
    ledger.end({ peerId, lease });
    underWay.delete(peerId);
    const wrong = trouble(peerId);
    const nowMs = scheduler.now();
    if (wrong !== null) send(peerId, { type: 'failed', failure: wrong, dialed: [], nowMs, epochMs: EPOCH_MS });
    else send(peerId, { type: 'observed', nowMs, epoch: CLOCK.epochAt(link.openedMs), agent: null });
    visits.push({ peerId, fromMs, toMs: nowMs, openedMs: link.openedMs });
  }

  adopted(inbound$, { inbound, isOpen$, scheduler }).subscribe((outcome) => {
    if (!outcome.ok) throw new Error('a connection is no failure');
    const visit = outcome.value;
    if (underWay.has(visit.peerId)) throw new Error(`${visit.peerId} is visited already`);
    underWay.add(visit.peerId);
    const fromMs = scheduler.now();
    scheduler.schedule(() => end(visit, fromMs), visitMs);
  });
  isOpen$.next(true);

  return {
    scheduler,
    registry,
    send,
    slots,
    tally,
    room,
    visits,
    open: (isOpen: boolean) => isOpen$.next(isOpen),
    call(peerId: string, behaviour: Partial<LinkBehaviour> = {}): Call {
      const closed = new ReplaySubject<Failure>(1);
      const atMs = scheduler.now();
      const left: Call['left'] = [];
      const link: FakeLink = {
        ...fakeLink({ peerId, direction: 'inbound', openedMs: atMs, closed$: closed, ...behaviour }),
        leave: (_, told) => {
          left.push({ atMs: scheduler.now(), isDialable: told?.isDialable });
        },
      };
      inbound$.next(link);
      return { link, atMs, left, close: () => closed.next(failure('identify', 'eof')) };
    },
    /** Ticks the registry, as each epoch begins. */
    runTo(ms: number): void {
      for (let epoch = CLOCK.epochAt(scheduler.now()) + 1; CLOCK.epochStartMs(epoch) <= ms; epoch++) {
        advanceTo(scheduler, CLOCK.epochStartMs(epoch));
        registry.tick(epoch);
      }
      advanceTo(scheduler, ms);
    },
  };
}

function advanceTo(scheduler: VirtualTimeScheduler, ms: number): void {
  scheduler.schedule(() => undefined, ms - scheduler.now());
  scheduler.maxFrames = ms;
  scheduler.flush();
}
