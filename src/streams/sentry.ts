import {
  concatMap,
  filter,
  ignoreElements,
  interval,
  map,
  merge,
  type Observable,
  type SchedulerLike,
  Subject,
  tap,
} from 'rxjs';
import type { PeerEffect, PeerState } from '../actors/peer.ts';
import { createRegistry, type Registry, type RegistryCounts } from '../actors/registry.ts';
import { type Failure, failure } from '../consensus/failure.ts';
import { acceptedDigests, type Network } from '../consensus/network.ts';
import { decodeNodeRecord, multiaddrText, type NodeRecord } from '../consensus/node-record.ts';
import type { DiscoveryAnswer, DiscoveryStage, DiscoveryTarget } from './discovery.ts';
import { discoveredEntry, type EventSource, observedEntry } from './events-of.ts';
import { createFailureTally, type FailureCount } from './failure-tally.ts';
import { pull } from './flow/pull.ts';
import { createSlots } from './flow/slots.ts';
import { through } from './flow/through.ts';
import { type Coverage, createFrontier } from './frontier.ts';
import type { Discovery } from './ports/discovery.ts';
import type { EventLog, LogEntry } from './ports/event-log.ts';
import { type Dialer, GOODBYE, type PeerLink } from './ports/peer-link.ts';
import { type RecordOptions, record } from './record.ts';
import {
  type ConnectedVisit,
  type DueVisit,
  type GreetedVisit,
  type Observation,
  type Stage,
  type VisitFailure,
  type VisitOutcome,
  visitSucceeded,
} from './visit.ts';
import { createVisitLedger } from './visit-ledger.ts';

/** The stages of the pipeline. An experiment passes another function of the same type in place of one of them. */
export interface SentryStages {
  /** Emits the current epoch, then each epoch as it begins. */
  readonly epochTick: Observable<number>;
  readonly discovery: DiscoveryStage;
  readonly dial: Stage<DueVisit, ConnectedVisit>;
  readonly handshake: Stage<ConnectedVisit, GreetedVisit>;
  readonly gossipProbe: Stage<GreetedVisit, Observation>;
}

export interface SentryPorts {
  readonly inbound$: Dialer['inbound$'];
  readonly heard$: Discovery['heard$'];
  readonly log: Pick<EventLog, 'append'>;
}

export interface SentryLimits {
  /** Visits we begin, in flight at a time over all stages. */
  readonly visits: number;
  /** Connections that peers begin, in flight at a time. */
  readonly inboundVisits: number;
  /** Nodes asked for their buckets at a time. */
  readonly crawlers: number;
  /** Peers kept in the registry, and nodes met in one crawl round. */
  readonly peers: number;
  /** A visit that has not ended after this is given up and its slot freed, whatever a stage does. */
  readonly visitMs: number;
}

export interface SentryOptions {
  readonly network: Network;
  readonly source: EventSource;
  readonly limits: SentryLimits;
  readonly record: RecordOptions;
  /** A new crawl round begins every so many epochs, if the last has ended. */
  readonly crawlEveryEpochs: number;
  /** Our own peer id, which discovery may hand us. */
  readonly ownPeerId: string;
  readonly restored: readonly PeerState[];
  readonly scheduler: SchedulerLike;
}

export type Happening =
  | { readonly type: 'epoch'; readonly epoch: number }
  | { readonly type: 'observed'; readonly observation: Observation }
  | { readonly type: 'failed'; readonly failure: VisitFailure }
  | { readonly type: 'round'; readonly coverage: Coverage };

export interface SentryStats {
  readonly epoch: number;
  readonly peers: RegistryCounts;
  readonly inFlight: number;
  /** Distinct peers observed since the epoch began. */
  readonly observedThisEpoch: number;
  readonly observed: number;
  readonly failed: number;
  readonly failures: readonly FailureCount[];
  /** Inbound connections that found no slot. */
  readonly turnedAway: number;
  readonly asking: number;
  readonly waitingToAsk: number;
  readonly lastRound: Coverage | null;
}

export interface Sentry {
  /** Subscribing starts the pipeline, unsubscribing stops it. Errors only when the program is wrong. */
  readonly happenings$: Observable<Happening>;
  stats(): SentryStats;
  readonly registry: Registry;
}

const SWEEP_MS = 1_000;
/** A round is seeded with the bootnodes and this many of the peers already known; their buckets hold the others. */
const MAX_SEEDS = 64;

type Finished = { readonly outcome: VisitOutcome<Observation>; readonly entries: readonly LogEntry[] };

/** Composes the stages into the pipeline: one registry, bounded slots, everything durable before a slot is given back. */
export function sentry(stages: SentryStages, ports: SentryPorts, options: SentryOptions): Sentry {
  const { network, source, limits, scheduler, ownPeerId } = options;
  const { clock } = source;
  const visitSlots = createSlots(limits.visits);
  const inboundSlots = createSlots(limits.inboundVisits);
  const crawlSlots = createSlots(limits.crawlers);
  const ledger = createVisitLedger();
  const failures = createFailureTally();
  const wake = new Subject<void>();
  const bootnodes = network.bootnodes.flatMap((enr) => targetOf(enr));
  const observedNow = new Set<string>();
  let observed = 0;
  let turnedAway = 0;
  let epoch = clock.epochAt(scheduler.now());
  let nextRoundEpoch = Number.NEGATIVE_INFINITY;
  let lastRound: Coverage | null = null;
  /** Effects of the message being delivered; delivery is synchronous. */
  let effects: PeerEffect[] = [];

  const isOurs = ({ eth2 }: NodeRecord) => eth2 !== null && acceptedDigests(network, epoch).has(eth2.forkDigest);
  const frontier = createFrontier({ maxNodes: limits.peers, isOurs });
  const registry = createRegistry({
    clock,
    maxPeers: limits.peers,
    perform: (effect) => effects.push(effect),
    onWake: () => wake.next(),
    restored: options.restored,
  });

  function send(...[peerId, message]: Parameters<Registry['send']>): readonly PeerEffect[] {
    effects = [];
    registry.send(peerId, message);
    return effects;
  }

  /** Gives a record to the frontier and the registry; the entries announce what is new. */
  function meet(record: NodeRecord): LogEntry[] {
    frontier.add(record);
    if (!isOurs(record) || record.peerId === ownPeerId) return [];
    const nowMs = scheduler.now();
    const { enr, sequence: enrSequence } = record;
    const addresses = record.addresses.map(multiaddrText);
    const news = send(record.peerId, { type: 'discovered', enr, enrSequence, addresses, nowMs });
    return news.some(({ type }) => type === 'announce') ? [discoveredEntry(record, nowMs, source)] : [];
  }

  /** Asks nodes for their buckets, bounded by slots, until the round has met everybody. */
  const crawl$ = pull(frontier, crawlSlots, scheduler).pipe(
    stages.discovery,
    map((answer: DiscoveryAnswer) => ({
      answer,
      entries: answer.answer.ok ? answer.answer.value.records.flatMap(meet) : [],
    })),
    record(ports.log, options.record),
    tap(({ item }) => {
      crawlSlots.release();
      frontier.answered(item.answer, scheduler.now());
    }),
    ignoreElements(),
  );

  const heard$ = ports.heard$.pipe(
    map((heard) => ({ entries: meet(heard) })),
    filter(({ entries }) => entries.length > 0),
    record(ports.log, options.record),
    ignoreElements(),
  );

  const round$ = frontier.rounds$.pipe(
    tap((coverage) => {
      lastRound = coverage;
      if (coverage.answered === 0) nextRoundEpoch = epoch + 1;
    }),
    map((coverage): Happening => ({ type: 'round', coverage })),
  );

  const due$ = pull({ take: takeDue, nextDueMs: registry.nextDueMs, wake$: wake }, visitSlots, scheduler);

  function takeDue(nowMs: number): DueVisit | null {
    const peer = registry.takeDue(nowMs);
    if (peer === null) return null;
    ledger.begin(peer.peerId, visitSlots, nowMs);
    return { peerId: peer.peerId, enr: peer.enr, addresses: peer.addresses };
  }

  const inbound$ = ports.inbound$.pipe(
    filter(admit),
    map((link): VisitOutcome<ConnectedVisit> => {
      const enr = registry.get(link.peerId)?.enr ?? null;
      return visitSucceeded({ peerId: link.peerId, enr, link });
    }),
  );

  function admit(link: PeerLink): boolean {
    if (!inboundSlots.tryTake()) {
      turnedAway++;
      link.hangUp(GOODBYE.tooManyPeers);
      return false;
    }
    const nowMs = scheduler.now();
    const verdict = send(link.peerId, { type: 'inbound', nowMs, epoch: clock.epochAt(nowMs) });
    if (verdict.some(({ type }) => type === 'adopt')) {
      ledger.begin(link.peerId, inboundSlots, nowMs);
      return true;
    }
    inboundSlots.release();
    link.hangUp(GOODBYE.clientShutdown);
    return false;
  }

  const visits$ = merge(
    due$.pipe(
      stages.dial,
      tap(({ ok, value }) => ok && send(value.peerId, { type: 'dialed', nowMs: scheduler.now() })),
    ),
    inbound$,
  ).pipe(
    through(stages.handshake),
    tap(({ ok, value }) => ok && send(value.peerId, { type: 'handshaken' })),
    through(stages.gossipProbe),
    map((outcome): Finished => ({ outcome, entries: outcome.ok ? [observedEntry(outcome.value, source)] : [] })),
    record(ports.log, options.record),
    map(({ item: { outcome }, failure: notRecorded }) =>
      outcome.ok && notRecorded === null
        ? finishObserved(outcome.value)
        : finishFailed(failureOf(outcome, notRecorded)),
    ),
    filter((happening) => happening !== null),
  );

  function finishObserved(observation: Observation): Happening | null {
    const { peerId, agent, observedFromMs } = observation;
    if (!ledger.end(peerId)) return null;
    const observedEpoch = clock.epochAt(observedFromMs);
    send(peerId, { type: 'observed', nowMs: scheduler.now(), epoch: observedEpoch, agent });
    observed++;
    observedNow.add(peerId);
    return { type: 'observed', observation };
  }

  function finishFailed(failed: VisitFailure): Happening | null {
    if (!ledger.end(failed.peerId)) return null;
    send(failed.peerId, { type: 'failed', failure: failed.failure, nowMs: scheduler.now(), epochMs: clock.epochMs });
    failures.add(failed);
    return { type: 'failed', failure: failed };
  }

  const givenUp$ = interval(SWEEP_MS, scheduler).pipe(
    concatMap(() => ledger.startedBefore(scheduler.now() - limits.visitMs)),
    map((peerId) => finishFailed({ peerId, failure: failure('record', 'cancelled', 'no stage ended the visit') })),
    filter((happening) => happening !== null),
  );

  const epoch$ = stages.epochTick.pipe(
    tap((begun) => {
      epoch = begun;
      observedNow.clear();
      registry.tick(begun);
      if (begun < nextRoundEpoch || !frontier.startRound(seeds(), scheduler.now())) return;
      nextRoundEpoch = begun + options.crawlEveryEpochs;
    }),
    map((begun): Happening => ({ type: 'epoch', epoch: begun })),
  );

  function seeds(): DiscoveryTarget[] {
    const known: DiscoveryTarget[] = [];
    for (const { enr, failures: failed } of registry.records()) {
      if (known.length >= MAX_SEEDS) break;
      if (enr !== null && failed === 0) known.push(...targetOf(enr));
    }
    return [...bootnodes, ...known];
  }

  return {
    // The rounds listen before the first epoch starts one.
    happenings$: merge(round$, crawl$, heard$, visits$, givenUp$, epoch$),
    registry,
    stats: () => ({
      epoch,
      peers: registry.counts(scheduler.now()),
      inFlight: ledger.size,
      observedThisEpoch: observedNow.size,
      observed,
      failed: failures.total,
      failures: failures.counts(),
      turnedAway,
      asking: crawlSlots.taken,
      waitingToAsk: frontier.waiting,
      lastRound,
    }),
  };
}

function targetOf(enr: string): DiscoveryTarget[] {
  const decoded = decodeNodeRecord(enr);
  return decoded.ok ? [{ nodeId: decoded.value.nodeId, enr }] : [];
}

function failureOf(outcome: VisitOutcome<Observation>, notRecorded: Failure | null): VisitFailure {
  if (!outcome.ok) return outcome.value;
  const { peerId, agent } = outcome.value;
  return { peerId, agent, failure: notRecorded ?? failure('record', 'unknown') };
}
