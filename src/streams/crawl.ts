import { merge, type Observable, of, type SchedulerLike, tap } from 'rxjs';
import type { Registry } from '../actors/registry.ts';
import type { CrowdLimits } from '../consensus/address-policy.ts';
import { acceptedDigests, type Network } from '../consensus/network.ts';
import type { NodeRecord } from '../consensus/node-record.ts';
import type { OptOut } from '../consensus/opt-out.ts';
import { asking } from './crawl/asking.ts';
import type { Coverage } from './crawl/coverage.ts';
import type { CrawlProblem } from './crawl/crawl-problems.ts';
import { createFrontier } from './crawl/frontier.ts';
import { createListening } from './crawl/listening.ts';
import { createReception } from './crawl/reception.ts';
import { createRoundTimes } from './crawl/round-times.ts';
import { createSeeds } from './crawl/seeds.ts';
import type { DiscoveryStage } from './discovery.ts';
import type { EventSource } from './events-of.ts';
import { createSlots } from './flow/slots.ts';
import type { Discovery } from './ports/discovery.ts';
import type { RecordOptions, RecordPorts } from './record.ts';

export interface CrawlPorts extends RecordPorts {
  readonly heard$: Discovery['heard$'];
}

export interface CrawlLimits {
  /** Nodes asked for their buckets at a time. */
  readonly crawlers: number;
  /** Nodes met in one crawl round. */
  readonly peers: number;
  /** Nodes that came to us unasked and wait for their announcement to be durable; others are dropped and counted. */
  readonly heard: number;
  /** Peers kept of one IP address and of one /24 or /64. */
  readonly entriesPerPlace: CrowdLimits;
  /** Nodes asked of one IP address and of one /24 or /64 in a round. */
  readonly askedPerPlace: CrowdLimits;
}

export interface CrawlOptions {
  readonly network: Network;
  readonly source: EventSource;
  readonly limits: CrawlLimits;
  readonly record: RecordOptions;
  /** A new round begins every so many epochs, if the last has ended. */
  readonly crawlEveryEpochs: number;
  /** Our own peer id: our record comes back from the DHT. */
  readonly ownPeerId: string;
  /** Who asked to be left alone. */
  readonly optOut: OptOut;
  readonly scheduler: SchedulerLike;
}

export interface CrawlStats {
  readonly asking: number;
  readonly waitingToAsk: number;
  readonly lastRound: Coverage | null;
  /** Nodes that came to us unasked and were dropped because too many waited. */
  readonly heardDropped: number;
}

export interface Crawl {
  /** What was wrong with nodes, as they are met; once a record. */
  readonly problems$: Observable<CrawlProblem>;
  /** Rounds as they end. Subscribing starts the asking, unsubscribing stops it. */
  readonly rounds$: Observable<Coverage>;
  /** Begins a round in this epoch, when it is time for one. */
  beginEpoch(epoch: number): void;
  stats(): CrawlStats;
}

/**
 * Fills the registry: walks the DHT in rounds and listens to who comes by. Every record goes through one reception, and
 * its peer enters the registry when its announcement is durable.
 */
export function crawl(discovery: DiscoveryStage, ports: CrawlPorts, registry: Registry, options: CrawlOptions): Crawl {
  const { network, source, limits, scheduler } = options;
  const { log, isOpen$ = of(true) } = ports;
  let epoch = source.clock.epochAt(scheduler.now());
  let lastRound: Coverage | null = null;

  const isOurs = ({ eth2 }: NodeRecord) => eth2 !== null && acceptedDigests(network, epoch).has(eth2.forkDigest);
  const frontier = createFrontier({ maxNodes: limits.peers, isOurs });
  const reception = createReception({ ...options, registry, frontier, isOurs });
  const seeds = createSeeds(network.bootnodes, reception.declines);
  const times = createRoundTimes(options.crawlEveryEpochs);
  const slots = createSlots(limits.crawlers);

  const way = { isOpen$, log, record: options.record, settle: reception.settle };
  const asking$ = asking(discovery, { ...way, frontier, slots, scheduler, receive: reception.receiveAnswer });
  const listening = createListening(ports.heard$, {
    ...way,
    maxWaiting: limits.heard,
    receive: reception.receiveUnasked,
  });
  const ended$ = frontier.rounds$.pipe(
    tap((coverage) => {
      lastRound = coverage;
      times.ended(coverage, epoch);
    }),
  );

  return {
    problems$: reception.problems$,
    // Who listens for the end of rounds does so before one starts.
    rounds$: merge(ended$, asking$, listening.listening$),
    beginEpoch(begun) {
      epoch = begun;
      if (frontier.running || !times.isTime(begun)) return;
      // A round without anybody to ask ends at once, and then says itself when the next one is.
      times.began(begun);
      reception.beginRound();
      frontier.startRound(seeds(registry.records()), scheduler.now());
    },
    stats: () => ({
      asking: slots.taken,
      waitingToAsk: frontier.waiting,
      lastRound,
      heardDropped: listening.dropped,
    }),
  };
}
