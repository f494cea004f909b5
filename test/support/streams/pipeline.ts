import { EMPTY, NEVER, type Observable, of, Subject, type Subscription, type VirtualTimeScheduler } from 'rxjs';
import type { PeerState } from '../../../src/actors/peer.ts';
import { networkClock } from '../../../src/consensus/clock.ts';
import { decodeEvent, METADATA_RECEIVED, PEER_DISCOVERED } from '../../../src/consensus/events.ts';
import { type Failure, type Outcome, success } from '../../../src/consensus/failure.ts';
import type { NodeRecord } from '../../../src/consensus/node-record.ts';
import { NOBODY, type OptOut } from '../../../src/consensus/opt-out.ts';
import { dial } from '../../../src/streams/dial.ts';
import { discovery } from '../../../src/streams/discovery.ts';
import { epochTick } from '../../../src/streams/epoch-tick.ts';
import { createDepth, type Depth } from '../../../src/streams/flow/merge-bounded.ts';
import { gossipProbe } from '../../../src/streams/gossip-probe.ts';
import { handshake } from '../../../src/streams/handshake.ts';
import type { NeighbourAnswer } from '../../../src/streams/ports/discovery.ts';
import type { LogEntry } from '../../../src/streams/ports/event-log.ts';
import type { PeerLink } from '../../../src/streams/ports/peer-link.ts';
import {
  type Happening,
  type Sentry,
  type SentryLimits,
  type SentryStages,
  sentry,
} from '../../../src/streams/sentry.ts';
import { createVisitTally } from '../../../src/streams/visit-tally.ts';
import { status } from './link.ts';
import { DIGEST, NETWORK } from './network.ts';
import { virtualPromise } from './virtual-promise.ts';

export { knownPeer } from '../../actors/support/peers.ts';

export const APPEND_MS = 2;
/** Everybody lives at one place here. */
const CROWD = { perIp: 100_000, perPrefix: 100_000 };

export const LIMITS = {
  visits: 16,
  inboundVisits: 4,
  crawlers: 4,
  heard: 8,
  peers: 20_000,
  visitMs: 10_000,
  entriesPerPlace: CROWD,
  askedPerPlace: CROWD,
  dialsPerPlace: CROWD,
  waiting: 64,
  waitingPerPlace: CROWD,
};

export interface World {
  readonly scheduler: VirtualTimeScheduler;
  readonly limits?: Partial<SentryLimits>;
  /** Of 32 slots; an epoch has 32 seconds if not given. */
  readonly epochMs?: number;
  readonly bootnodes?: readonly string[];
  readonly crawlEveryEpochs?: number;
  readonly restored?: readonly PeerState[];
  readonly optOut?: OptOut;
  /** The other side of each dial. */
  readonly dialed?: (peerId: string, addresses: readonly string[]) => Observable<Outcome<PeerLink>>;
  readonly neighbours?: (enr: string) => Observable<Outcome<NeighbourAnswer>>;
  /** Why the log refuses an append, if it does. */
  readonly refusal?: (entries: readonly LogEntry[]) => Error | null;
  readonly appendMs?: number;
  readonly isOpen$?: Observable<boolean>;
  readonly experiment?: (usual: SentryStages) => SentryStages;
}

export interface Pipeline {
  readonly sentry: Sentry;
  readonly inbound$: Subject<PeerLink>;
  readonly heard$: Subject<NodeRecord>;
  readonly happenings: Happening[];
  /** Appends that the log took, one array each. */
  readonly appended: readonly LogEntry[][];
  readonly depths: Readonly<Record<'discovery' | 'dial' | 'handshake' | 'gossipProbe', Depth>>;
  readonly subscription: Subscription;
  /** Set when the pipeline itself has failed. */
  readonly error: () => unknown;
  runTo(ms: number): void;
  /** `peer id` of each discovery and observation that the log holds. */
  announced(): string[];
  observed(): string[];
  /** `peer stage cause` of each failed visit. */
  failed(): string[];
}

/** The sentry with its real stages over ports that a test plays, in virtual time, from time 0 on. */
export function startPipeline(world: World): Pipeline {
  const {
    scheduler,
    dialed = () => EMPTY,
    neighbours = () => NEVER,
    refusal = () => null,
    appendMs = APPEND_MS,
  } = world;
  const limits = { ...LIMITS, ...world.limits };
  const network = { ...NETWORK, slotMs: (world.epochMs ?? 32_000) / 32, bootnodes: world.bootnodes ?? [] };
  const clock = networkClock(network);
  const inbound$ = new Subject<PeerLink>();
  const heard$ = new Subject<NodeRecord>();
  const appended: LogEntry[][] = [];
  const happenings: Happening[] = [];
  const depths = {
    discovery: createDepth(),
    dial: createDepth(),
    handshake: createDepth(),
    gossipProbe: createDepth(),
  };
  const visits = { concurrency: limits.visits + limits.inboundVisits, maxWaiting: 0, timeoutMs: 2_000, scheduler };
  const acceptedDigests = () => new Set([DIGEST]);
  const usual: SentryStages = {
    epochTick: epochTick(clock, scheduler),
    discovery: discovery(
      { neighbours },
      { concurrency: limits.crawlers, maxWaiting: 0, timeoutMs: 1_000, scheduler, depth: depths.discovery },
    ),
    dial: dial({ dial: ({ peerId, addresses }) => dialed(peerId, addresses) }, { ...visits, depth: depths.dial }),
    handshake: handshake({ ...visits, ownStatus: () => status(), acceptedDigests, depth: depths.handshake }),
    gossipProbe: gossipProbe({ ...visits, settleMs: 50, dwellMs: 200, acceptedDigests, depth: depths.gossipProbe }),
  };
  let eventIds = 0;
  const log = {
    append(entries: readonly LogEntry[]) {
      const refused = refusal(entries);
      const done = virtualPromise(scheduler, appendMs, refused);
      if (refused === null) appended.push([...entries]);
      return done;
    },
  };
  const options = {
    network,
    source: { clock, crawlerId: 'test', crawlerLocation: 'here', nextEventId: () => `e:${eventIds++}` },
    limits,
    record: { batchMs: 20, batchSize: 100, scheduler },
    optOut: world.optOut ?? NOBODY,
    crawlEveryEpochs: world.crawlEveryEpochs ?? 4,
    ownPeerId: 'ourselves',
    tally: createVisitTally(),
    restored: world.restored ?? [],
    scheduler,
  };
  const crawler = sentry(
    world.experiment?.(usual) ?? usual,
    { inbound$, heard$, log, isOpen$: world.isOpen$ ?? of(true) },
    options,
  );
  let error: unknown;
  const subscription = crawler.happenings$.subscribe({
    next: (happening) => happenings.push(happening),
    error: (thrown: unknown) => {
      error = thrown;
    },
  });

  function idsOf(subject: string): string[] {
    return appended.flat().flatMap((entry) => {
      if (entry.subject !== subject) return [];
      const decoded = decodeEvent(entry.subject, entry.payload);
      if (!decoded.ok) throw new Error(decoded.reason);
      return [decoded.value.event.id];
    });
  }

  return {
    sentry: crawler,
    inbound$,
    heard$,
    happenings,
    appended,
    depths,
    subscription,
    error: () => error,
    runTo(ms) {
      scheduler.schedule(() => undefined, ms - scheduler.now());
      scheduler.maxFrames = ms;
      scheduler.flush();
    },
    announced: () => idsOf(PEER_DISCOVERED),
    observed: () => idsOf(METADATA_RECEIVED),
    failed: () =>
      happenings.flatMap((happening) => {
        if (happening.type !== 'failed') return [];
        const { peerId, failure } = happening.failure;
        return [`${peerId} ${failure.stage} ${failure.cause}`];
      }),
  };
}

export function neighbourAnswer(records: readonly NodeRecord[]): Outcome<NeighbourAnswer> {
  return success({ records, requests: 1 });
}

export function closedBy(cause: Failure['cause']): Failure {
  return { stage: 'identify', cause };
}
