import { filter, map, merge, type Observable, type OperatorFunction, of, pipe, type SchedulerLike, tap } from 'rxjs';
import { canDial, needNotDial } from '../../actors/can-dial.ts';
import type { CrowdLimits } from '../../consensus/address-policy.ts';
import type { OptOut } from '../../consensus/opt-out.ts';
import { type EventSource, observedEntry } from '../events-of.ts';
import { pull } from '../flow/pull.ts';
import { createSlots } from '../flow/slots.ts';
import { through } from '../flow/through.ts';
import { whileOpen } from '../flow/while-open.ts';
import type { Happening } from '../happening.ts';
import type { EventLog, LogEntry } from '../ports/event-log.ts';
import type { Dialer } from '../ports/peer-link.ts';
import { type RecordOptions, type RecordPorts, record } from '../record.ts';
import {
  type ConnectedVisit,
  type DueVisit,
  failureOfVisit,
  type GreetedVisit,
  type Observation,
  type Stage,
  type VisitOutcome,
} from '../visit.ts';
import type { VisitTally } from '../visit-tally.ts';
import { noteConnections } from './connections.ts';
import { dueVisits } from './due-visits.ts';
import { adopted, inboundVisits } from './inbound-visits.ts';
import { createLeftAlone } from './left-alone.ts';
import { createPatience } from './patience.ts';
import type { Peers } from './peers.ts';
import { createVisitEnds, givingUp, type VisitEnds } from './visit-ends.ts';
import { createVisitLedger } from './visit-ledger.ts';
import { createWaitingRoom } from './waiting-room.ts';

export interface VisitStages {
  readonly dial: Stage<DueVisit, ConnectedVisit>;
  readonly handshake: Stage<ConnectedVisit, GreetedVisit>;
  readonly gossipProbe: Stage<GreetedVisit, Observation>;
}

export interface VisitPorts extends RecordPorts {
  readonly inbound$: Dialer['inbound$'];
}

export interface VisitLimits {
  /** Visits we begin, in flight at a time over all stages. */
  readonly visits: number;
  /** Connections that peers begin, in flight at a time. */
  readonly inboundVisits: number;
  /** Visits in flight to one IP address, and to one /24 or /64. */
  readonly dialsPerPlace: CrowdLimits;
  /** Connections from peers that no visit uses, in all and of one place. */
  readonly waiting: number;
  readonly waitingPerPlace: CrowdLimits;
  /** A visit that no stage has ended after this is given up and its slot freed. */
  readonly visitMs: number;
}

export interface VisitingOptions {
  readonly limits: VisitLimits;
  readonly source: EventSource;
  readonly record: RecordOptions;
  readonly optOut: OptOut;
  readonly tally: VisitTally;
  readonly scheduler: SchedulerLike;
}

export interface Visiting {
  /** How visits end. Subscribing begins them, unsubscribing gives up those under way. */
  readonly ended$: Observable<Happening>;
  readonly inFlight: number;
  /** Connections from peers that no visit uses. */
  readonly waiting: number;
}

/** Visits peers: those that are due and those that dial us. Everything is durable before a slot is given back. */
export function visiting(stages: VisitStages, ports: VisitPorts, peers: Peers, options: VisitingOptions): Visiting {
  const { source, limits, tally, scheduler } = options;
  const { clock } = source;
  const { isOpen$ = of(true) } = ports;
  const { registry, send, wake$ } = peers;
  const ledger = createVisitLedger();
  const leftAlone = createLeftAlone(options.optOut, registry);
  const ends = createVisitEnds({ ledger, send, registry, tally, clock, scheduler });

  const room = createWaitingRoom({
    capacity: limits.waiting,
    perPlace: limits.waitingPerPlace,
    isDialable: (peerId) => canDial(registry.get(peerId)),
    onEvicted: (link) => link.leave('no-room', { isDialable: needNotDial(registry.get(link.peerId)) }),
  });
  const slots = createSlots(limits.visits);
  const take = dueVisits({ registry, send, ledger, slots, perPlace: limits.dialsPerPlace, isWaiting: room.has });
  const due$ = whileOpen(isOpen$, pull({ take, nextDueMs: registry.nextDueMs, wake$ }, slots, scheduler));
  const dialed$ = due$.pipe(stages.dial, noteConnections({ ledger, send, scheduler }));

  const inboundSlots = createSlots(limits.inboundVisits);
  const { declines } = leftAlone;
  const inbound = inboundVisits({
    registry,
    send,
    ledger,
    slots: inboundSlots,
    room,
    patience: createPatience(),
    tally,
    clock,
    scheduler,
    declines,
  });
  const adopted$ = adopted(ports.inbound$, { isOpen$, inbound, scheduler });

  const visited$ = merge(dialed$, adopted$).pipe(
    through(stages.handshake),
    tap(({ ok, value }) => ok && ledger.holds(value) && send(value.peerId, { type: 'handshaken' })),
    through(stages.gossipProbe),
    // An answer to a visit that was given up is late, and not worth an event.
    filter(({ value }) => ledger.answered(value)),
    map(leftAlone.kept),
    recordAndEnd(ends, ports.log, options),
  );

  return {
    ended$: merge(visited$, givingUp({ ledger, ends, visitMs: limits.visitMs, scheduler })),
    get inFlight() {
      return ledger.size;
    },
    get waiting() {
      return room.size;
    },
  };
}

interface Answered {
  readonly outcome: VisitOutcome<Observation>;
  readonly entries: readonly LogEntry[];
}

/** Makes what was observed durable, and ends the visit then: what cannot be recorded counts as failed. */
function recordAndEnd(
  ends: VisitEnds,
  log: Pick<EventLog, 'append'>,
  options: Pick<VisitingOptions, 'source' | 'record'>,
): OperatorFunction<VisitOutcome<Observation>, Happening> {
  return pipe(
    map((outcome): Answered => {
      return { outcome, entries: outcome.ok ? [observedEntry(outcome.value, options.source)] : [] };
    }),
    record(log, options.record),
    map(({ item: { outcome }, failure: notRecorded }) =>
      outcome.ok && notRecorded === null
        ? ends.observed(outcome.value)
        : ends.failed(failureOfVisit(outcome, notRecorded)),
    ),
    filter((happening) => happening !== null),
  );
}
