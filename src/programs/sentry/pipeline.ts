import { asyncScheduler, filter, firstValueFrom, type Observable, ReplaySubject, race, timer } from 'rxjs';
import type { PeerState } from '../../actors/peer.ts';
import { type CrowdLimits, mayContact } from '../../consensus/address-policy.ts';
import type { NetworkClock } from '../../consensus/clock.ts';
import { eventIds } from '../../consensus/event-id.ts';
import type { FinalityView } from '../../consensus/finality.ts';
import { acceptedDigests, type Network } from '../../consensus/network.ts';
import type { OptOut } from '../../consensus/opt-out.ts';
import { dial } from '../../streams/dial.ts';
import { discovery } from '../../streams/discovery.ts';
import { epochTick } from '../../streams/epoch-tick.ts';
import { createDepth, type Depth } from '../../streams/flow/merge-bounded.ts';
import type { Part } from '../../streams/flow/supervise.ts';
import { gossipProbe } from '../../streams/gossip-probe.ts';
import { handshake } from '../../streams/handshake.ts';
import type { Discovery } from '../../streams/ports/discovery.ts';
import type { Dialer } from '../../streams/ports/peer-link.ts';
import { createRecording } from '../../streams/record.ts';
import {
  type Happening,
  type Sentry,
  type SentryLimits,
  type SentryPorts,
  type SentryStages,
  sentry,
} from '../../streams/sentry.ts';
import type { VisitTally } from '../../streams/visit-tally.ts';

export interface StageDepths {
  readonly discovery: Depth;
  readonly dial: Depth;
  readonly handshake: Depth;
  readonly gossipProbe: Depth;
}

export interface PipelineOptions {
  readonly network: Network;
  readonly clock: NetworkClock;
  readonly finality: FinalityView;
  readonly discovery: Discovery;
  readonly dialer: Dialer;
  /** Our own peer id. */
  readonly peerId: string;
  readonly log: SentryPorts['log'];
  /** Whether new visits may begin. */
  readonly isOpen$: Observable<boolean>;
  readonly crawlerId: string;
  readonly crawlerLocation: string;
  readonly optOut: OptOut;
  readonly dwellMs: number;
  readonly tally: VisitTally;
  /** Peers of before. */
  readonly restored: readonly PeerState[];
  readonly experiment: ((usual: SentryStages) => SentryStages) | undefined;
  readonly onHappening: (happening: Happening) => void;
}

export interface Pipeline extends Sentry, Part {
  readonly depths: StageDepths;
  /** Events of what was observed that are not durable yet; after `stop` those that were given up. */
  unrecorded(): number;
  /** Takes nothing more, and gives what was observed a moment to become durable. */
  stop(): Promise<void>;
}

const LIMITS = {
  visits: 256,
  inboundVisits: 64,
  crawlers: 64,
  heard: 1_024,
  peers: 100_000,
  visitMs: 60_000,
  entriesPerPlace: { perIp: 64, perPrefix: 512 },
  askedPerPlace: { perIp: 64, perPrefix: 1_024 },
  dialsPerPlace: { perIp: 4, perPrefix: 16 },
} as const satisfies SentryLimits;
const TIMEOUT_MS = { dial: 10_000, request: 10_000, hello: 5_000, discovery: 30_000 } as const;
const RECORD = { batchMs: 20, batchSize: 500, scheduler: asyncScheduler };
/** So long, at the end, for what was observed to become durable: plenty, unless the log or its disk is full. */
const RECORD_LAST_MS = 1_000;
const CRAWL_EVERY_EPOCHS = 4;
/** A visit needs one connection, an inbound one another. */
export const MAX_CONNECTIONS = 2 * (LIMITS.visits + LIMITS.inboundVisits);

/** The gossip picture is watched for a third of a slot at most: long enough to be whole, too short to blur two slots. */
const DWELL_SLOTS = 1 / 3;
const MIN_DWELL_MS = 150;
const MAX_DWELL_MS = 4_000;
const SETTLE_PART = 1 / 4;

export function defaultDwellMs({ slotMs }: Pick<Network, 'slotMs'>): number {
  return Math.min(Math.max(slotMs * DWELL_SLOTS, MIN_DWELL_MS), MAX_DWELL_MS);
}

/** Every node of a devnet computes on this machine: more at a time would only make them late. */
const LOOPBACK = { visits: 32, crawlers: 4 } as const;

/** On loopback all nodes are neighbours, which there says nothing of them. */
function limitsFor({ isPublic }: Network): SentryLimits {
  const wide = (limits: CrowdLimits): CrowdLimits => ({ perIp: limits.perIp, perPrefix: Number.POSITIVE_INFINITY });
  if (isPublic) return LIMITS;
  return {
    ...LIMITS,
    ...LOOPBACK,
    entriesPerPlace: wide(LIMITS.entriesPerPlace),
    askedPerPlace: wide(LIMITS.askedPerPlace),
    dialsPerPlace: wide({ perIp: LOOPBACK.visits, perPrefix: 0 }),
  };
}

/** Composes the stages with the usual limits, and starts them. It numbers its events as a producer of its own. */
export function startPipeline(options: PipelineOptions): Pipeline {
  const { network, clock, finality, dialer } = options;
  const digestsNow = () => acceptedDigests(network, clock.epochAt(Date.now()));
  const depths = {
    discovery: createDepth(),
    dial: createDepth(),
    handshake: createDepth(),
    gossipProbe: createDepth(),
  };
  const visits = {
    concurrency: LIMITS.visits,
    maxWaiting: LIMITS.visits + LIMITS.inboundVisits,
    scheduler: asyncScheduler,
  };
  const { dwellMs } = options;
  const usual: SentryStages = {
    epochTick: epochTick(clock, asyncScheduler),
    discovery: discovery(options.discovery, {
      concurrency: LIMITS.crawlers,
      maxWaiting: LIMITS.crawlers,
      timeoutMs: TIMEOUT_MS.discovery,
      scheduler: asyncScheduler,
      depth: depths.discovery,
    }),
    dial: dial(dialer, { ...visits, timeoutMs: TIMEOUT_MS.dial, depth: depths.dial }),
    handshake: handshake({
      ...visits,
      timeoutMs: TIMEOUT_MS.request,
      ownStatus: () => finality.ownStatus(Date.now()),
      acceptedDigests: digestsNow,
      onStatus: (peerId, status) => finality.heard(peerId, status, Date.now()),
      findRecord: options.discovery.find,
      mayContact: (ip) => mayContact(network, ip),
      currentSlot: () => clock.slotAt(Date.now()),
      depth: depths.handshake,
    }),
    gossipProbe: gossipProbe({
      ...visits,
      timeoutMs: TIMEOUT_MS.hello,
      settleMs: dwellMs * SETTLE_PART,
      dwellMs,
      acceptedDigests: digestsNow,
      depth: depths.gossipProbe,
    }),
  };

  const recording = createRecording();
  const crawler = sentry(
    options.experiment?.(usual) ?? usual,
    { inbound$: dialer.inbound$, heard$: options.discovery.heard$, log: options.log, isOpen$: options.isOpen$ },
    {
      network,
      source: {
        clock,
        crawlerId: options.crawlerId,
        crawlerLocation: options.crawlerLocation,
        nextEventId: eventIds(),
      },
      limits: limitsFor(network),
      optOut: options.optOut,
      record: { ...RECORD, recording },
      crawlEveryEpochs: CRAWL_EVERY_EPOCHS,
      ownPeerId: options.peerId,
      tally: options.tally,
      restored: options.restored,
      scheduler: asyncScheduler,
    },
  );

  const failed$ = new ReplaySubject<never>(1);
  const running = crawler.happenings$.subscribe({
    next: options.onHappening,
    error: (error: unknown) => failed$.error(error),
  });
  return {
    ...crawler,
    depths,
    failed$,
    unrecorded: () => recording.held$.value,
    async stop() {
      recording.ending$.next();
      const isEmpty$ = recording.held$.pipe(filter((held) => held === 0));
      await firstValueFrom(race(isEmpty$, timer(RECORD_LAST_MS)));
      running.unsubscribe();
    },
  };
}
