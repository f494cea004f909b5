import { concatMap, filter, interval, map, merge, type Observable, of, Subject, switchMap, tap } from 'rxjs';
import type { PeerEffect, PeerState } from '../actors/peer.ts';
import { createRegistry, type Registry, type RegistryCounts } from '../actors/registry.ts';
import type { CrowdLimits } from '../consensus/address-policy.ts';
import { failure } from '../consensus/failure.ts';
import { coversPeer } from '../consensus/opt-out.ts';
import type { Coverage } from './crawl/coverage.ts';
import { type CrawlLimits, type CrawlOptions, type CrawlPorts, type CrawlStats, crawl } from './crawl.ts';
import type { DiscoveryStage } from './discovery.ts';
import { dueVisits, type Send } from './due-visits.ts';
import { observedEntry } from './events-of.ts';
import { pull } from './flow/pull.ts';
import { createSlots } from './flow/slots.ts';
import { through } from './flow/through.ts';
import { whileOpen } from './flow/while-open.ts';
import { inboundVisits } from './inbound-visits.ts';
import type { LogEntry } from './ports/event-log.ts';
import { type Dialer, GOODBYE } from './ports/peer-link.ts';
import { record } from './record.ts';
import {
  type ConnectedVisit,
  type DueVisit,
  failureOfVisit,
  type GreetedVisit,
  type Observation,
  type Stage,
  type VisitFailure,
  type VisitOutcome,
  visitFailed,
  visitSucceeded,
} from './visit.ts';
import { createVisitLedger, type OverdueVisit } from './visit-ledger.ts';
import type { VisitCounts, VisitTally } from './visit-tally.ts';

/** The stages of the pipeline. An experiment passes another function of the same type in place of one of them. */
export interface SentryStages {
  /** Emits the current epoch, then each epoch as it begins. */
  readonly epochTick: Observable<number>;
  readonly discovery: DiscoveryStage;
  readonly dial: Stage<DueVisit, ConnectedVisit>;
  readonly handshake: Stage<ConnectedVisit, GreetedVisit>;
  readonly gossipProbe: Stage<GreetedVisit, Observation>;
}

export interface SentryPorts extends CrawlPorts {
  readonly inbound$: Dialer['inbound$'];
}

export interface SentryLimits extends CrawlLimits {
  /** Visits we begin, in flight at a time over all stages. */
  readonly visits: number;
  /** Connections that peers begin, in flight at a time. */
  readonly inboundVisits: number;
  /** Visits in flight to one IP address, and to one /24 or /64. */
  readonly dialsPerPlace: CrowdLimits;
  /** Peers kept in the registry, and nodes met in one crawl round. */
  readonly peers: number;
  /** A visit that no stage has ended after this is given up and its slot freed. */
  readonly visitMs: number;
}

export interface SentryOptions extends CrawlOptions {
  readonly limits: SentryLimits;
  readonly tally: VisitTally;
  /** Peers of an earlier run. */
  readonly restored: readonly PeerState[];
}

export type Happening =
  | { readonly type: 'epoch'; readonly epoch: number }
  | { readonly type: 'observed'; readonly observation: Observation }
  | { readonly type: 'failed'; readonly failure: VisitFailure }
  | { readonly type: 'round'; readonly coverage: Coverage };

export interface SentryStats extends CrawlStats, VisitCounts {
  readonly epoch: number;
  readonly peers: RegistryCounts;
  readonly inFlight: number;
}

export interface Sentry {
  /** Subscribing starts the pipeline, once; unsubscribing stops it. Errors only when the program is wrong. */
  readonly happenings$: Observable<Happening>;
  stats(): SentryStats;
  readonly registry: Registry;
}

const SWEEP_MS = 1_000;
/** The lease of failures that no visit was needed for. */
const NO_VISIT = -1;

type Finished = { readonly outcome: VisitOutcome<Observation>; readonly entries: readonly LogEntry[] };

/** Composes the stages into the pipeline: one registry, bounded slots, everything durable before a slot is given back. */
export function sentry(stages: SentryStages, ports: SentryPorts, options: SentryOptions): Sentry {
  const { source, limits, tally, scheduler } = options;
  const { clock } = source;
  const visitSlots = createSlots(limits.visits);
  const inboundSlots = createSlots(limits.inboundVisits);
  const ledger = createVisitLedger();
  const wake = new Subject<void>();
  let epoch = clock.epochAt(scheduler.now());
  /** Effects of the message being delivered; delivery is synchronous. */
  let effects: PeerEffect[] = [];

  const registry = createRegistry({
    clock,
    maxPeers: limits.peers,
    perform: (effect) => effects.push(effect),
    onWake: () => wake.next(),
    restored: options.restored,
  });
  const discovering = crawl(stages.discovery, ports, registry, options);

  const send: Send = (peerId, message) => {
    effects = [];
    registry.send(peerId, message);
    return effects;
  };

  const takeDue = dueVisits({ registry, send, ledger, slots: visitSlots, perPlace: limits.dialsPerPlace });
  const inbound = inboundVisits({ registry, send, ledger, slots: inboundSlots, tally, clock, declines });
  const { isOpen$ = of(true) } = ports;
  const due$ = whileOpen(
    isOpen$,
    pull({ take: takeDue, nextDueMs: registry.nextDueMs, wake$: wake }, visitSlots, scheduler),
  );

  const dialed$ = due$.pipe(
    stages.dial,
    filter((outcome) => {
      if (!outcome.ok) return true;
      const { value } = outcome;
      if (!ledger.connected(value, value.link)) {
        value.link.hangUp(GOODBYE.clientShutdown);
        return false;
      }
      send(value.peerId, { type: 'dialed', nowMs: scheduler.now() });
      return true;
    }),
  );

  const adopted$ = isOpen$.pipe(
    // Who comes while there is no room is turned away, not left waiting.
    switchMap((isOpen) =>
      ports.inbound$.pipe(map((link) => (isOpen ? inbound.adopt(link, scheduler.now()) : inbound.turnAway(link)))),
    ),
    filter((visit) => visit !== null),
    map(visitSucceeded<ConnectedVisit>),
  );

  /** Who asked to be left alone may still dial us. */
  function declines(peerId: string, address: string, enr = registry.get(peerId)?.enr ?? null): boolean {
    return coversPeer(options.optOut, { peerId, enr, addresses: [address] });
  }

  /** Nothing is kept of a peer whose record, found only now, says that it asked to be left alone. */
  function kept(outcome: VisitOutcome<Observation>): VisitOutcome<Observation> {
    if (!outcome.ok || !declines(outcome.value.peerId, outcome.value.address, outcome.value.enr)) return outcome;
    return visitFailed(outcome.value, failure('record', 'gated', 'asked to be left alone'));
  }

  const visits$ = merge(dialed$, adopted$).pipe(
    through(stages.handshake),
    tap(({ ok, value }) => ok && ledger.holds(value) && send(value.peerId, { type: 'handshaken' })),
    through(stages.gossipProbe),
    // An answer to a visit that was given up is late, and not worth an event.
    filter(({ value }) => ledger.answered(value)),
    map(kept),
    map((outcome): Finished => ({ outcome, entries: outcome.ok ? [observedEntry(outcome.value, source)] : [] })),
    record(ports.log, options.record),
    map(({ item: { outcome }, failure: notRecorded }) =>
      outcome.ok && notRecorded === null
        ? finishObserved(outcome.value)
        : finishFailed(failureOfVisit(outcome, notRecorded)),
    ),
    filter((happening) => happening !== null),
  );

  function finishObserved(observation: Observation): Happening | null {
    if (ledger.end(observation) === null) return null;
    const { peerId, agent, observedFromMs } = observation;
    const observedEpoch = clock.epochAt(observedFromMs);
    send(peerId, { type: 'observed', nowMs: scheduler.now(), epoch: observedEpoch, agent });
    tally.observed(observation);
    return { type: 'observed', observation };
  }

  function finishFailed(failed: VisitFailure): Happening | null {
    const visit = ledger.end(failed);
    if (visit === null) return null;
    send(failed.peerId, {
      type: 'failed',
      failure: failed.failure,
      dialed: visit.addresses,
      nowMs: scheduler.now(),
      epochMs: clock.epochMs,
    });
    tally.failed(failed);
    return { type: 'failed', failure: failed };
  }

  const givenUp$ = interval(SWEEP_MS, scheduler).pipe(
    concatMap(() => ledger.overdue(scheduler.now() - limits.visitMs)),
    map(giveUp),
    filter((happening) => happening !== null),
  );

  function giveUp({ link, peerId, lease }: OverdueVisit): Happening | null {
    link?.hangUp(GOODBYE.clientShutdown);
    return finishFailed({ peerId, lease, failure: failure('record', 'cancelled', 'no stage ended the visit') });
  }

  const problem$ = discovering.problems$.pipe(
    map(({ peerId, failure: problem }): Happening => {
      const failed: VisitFailure = { peerId, lease: NO_VISIT, failure: problem };
      tally.problem(failed);
      return { type: 'failed', failure: failed };
    }),
  );

  const round$ = discovering.rounds$.pipe(map((coverage): Happening => ({ type: 'round', coverage })));

  const epoch$ = stages.epochTick.pipe(
    tap((begun) => {
      epoch = begun;
      tally.beginEpoch();
      registry.tick(begun);
      discovering.beginEpoch(begun);
    }),
    map((begun): Happening => ({ type: 'epoch', epoch: begun })),
  );

  return {
    // The rounds listen before the first epoch starts one.
    happenings$: merge(problem$, round$, visits$, givenUp$, epoch$),
    registry,
    stats: () => ({
      epoch,
      peers: registry.counts(scheduler.now()),
      inFlight: ledger.size,
      ...tally.counts(),
      ...discovering.stats(),
    }),
  };
}
