import { asyncScheduler, filter, firstValueFrom, type Observable, ReplaySubject, race, timer } from 'rxjs';
import type { PeerState } from '../../actors/peer.ts';
import { mayContact } from '../../consensus/address-policy.ts';
import type { NetworkClock } from '../../consensus/clock.ts';
import type { ClockCheck } from '../../consensus/clock-check.ts';
import { eventIds } from '../../consensus/event-id.ts';
import type { OwnStatus } from '../../consensus/manners/own-status.ts';
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
import { createRecording, type Recording } from '../../streams/record.ts';
import {
  type Happening,
  type Sentry,
  type SentryOptions,
  type SentryPorts,
  type SentryStages,
  sentry,
} from '../../streams/sentry.ts';
import type { VisitTally } from '../../streams/visit-tally.ts';
import { LIMITS, limitsFor, TIMEOUT_MS } from './limits.ts';

export interface StageDepths {
  readonly discovery: Depth;
  readonly dial: Depth;
  readonly handshake: Depth;
  readonly gossipProbe: Depth;
}

export interface PipelineOptions {
  readonly network: Network;
  readonly clock: NetworkClock;
  readonly ownStatus: OwnStatus;
  /** Hears the heads that peers tell. */
  readonly clockCheck: Pick<ClockCheck, 'heard'>;
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

const RECORD = { batchMs: 20, batchSize: 500, scheduler: asyncScheduler };
/** So long, at the end, for what was observed to become durable: plenty, unless the log or its disk is full. */
const RECORD_LAST_MS = 1_000;
const CRAWL_EVERY_EPOCHS = 4;
const SETTLE_PART = 1 / 4;

/** Composes the stages with the usual limits, and starts them. It numbers its events as a producer of its own. */
export function startPipeline(options: PipelineOptions): Pipeline {
  const depths = {
    discovery: createDepth(),
    dial: createDepth(),
    handshake: createDepth(),
    gossipProbe: createDepth(),
  };
  const usual = usualStages(options, depths);
  const recording = createRecording();
  const crawler = sentry(
    options.experiment?.(usual) ?? usual,
    {
      inbound$: options.dialer.inbound$,
      heard$: options.discovery.heard$,
      log: options.log,
      isOpen$: options.isOpen$,
    },
    sentryOptions(options, recording),
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

function sentryOptions(options: PipelineOptions, recording: Recording): SentryOptions {
  const { network, clock, crawlerId, crawlerLocation, optOut, peerId: ownPeerId, tally, restored } = options;
  return {
    network,
    source: { clock, crawlerId, crawlerLocation, nextEventId: eventIds() },
    limits: limitsFor(network),
    optOut,
    record: { ...RECORD, recording },
    crawlEveryEpochs: CRAWL_EVERY_EPOCHS,
    ownPeerId,
    tally,
    restored,
    scheduler: asyncScheduler,
  };
}

/** The stages as they are without an experiment. */
function usualStages(options: PipelineOptions, depths: StageDepths): SentryStages {
  const { network, clock, ownStatus, dialer, dwellMs } = options;
  const digestsNow = () => acceptedDigests(network, clock.epochAt(Date.now()));
  const visits = {
    concurrency: LIMITS.visits,
    maxWaiting: LIMITS.visits + LIMITS.inboundVisits,
    scheduler: asyncScheduler,
  };
  return {
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
      ownStatus: (peerId, client) => ownStatus.tell(peerId, client, Date.now()),
      knowsHead: (peerId) => ownStatus.knows(peerId, Date.now()),
      acceptedDigests: digestsNow,
      onStatus: (peerId, status) => ownStatus.heard(peerId, status, Date.now()),
      findRecord: options.discovery.find,
      mayContact: (ip) => mayContact(network, ip),
      currentSlot: () => clock.slotAt(Date.now()),
      onHead: (peerId, headSlot) => options.clockCheck.heard(peerId, headSlot, Date.now()),
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
}
