import { filter, ignoreElements, map, merge, type Observable, of, type SchedulerLike, tap } from 'rxjs';
import type { Registry } from '../actors/registry.ts';
import type { CrowdLimits } from '../consensus/address-policy.ts';
import type { Failure } from '../consensus/failure.ts';
import { acceptedDigests, type Network } from '../consensus/network.ts';
import { decodeNodeRecord, type NodeRecord } from '../consensus/node-record.ts';
import type { OptOut } from '../consensus/opt-out.ts';
import { createAdmission } from './admission.ts';
import { type CrawlProblem, createCrawlProblems } from './crawl-problems.ts';
import type { DiscoveryAnswer, DiscoveryStage, DiscoveryTarget } from './discovery.ts';
import { discoveredEntry, type EventSource } from './events-of.ts';
import { pull } from './flow/pull.ts';
import { createSlots } from './flow/slots.ts';
import { whileOpen } from './flow/while-open.ts';
import { type Coverage, createFrontier } from './frontier.ts';
import type { Discovery } from './ports/discovery.ts';
import type { EventLog, LogEntry } from './ports/event-log.ts';
import { type RecordOptions, record } from './record.ts';
import { createTellers, SILENT_IN_A_ROW } from './tellers.ts';

export interface CrawlPorts {
  readonly heard$: Discovery['heard$'];
  readonly log: Pick<EventLog, 'append'>;
  /** Whether the log has room for what would be met: while it has not, nobody is asked, visited or let in. Always, if not given. */
  readonly isOpen$?: Observable<boolean>;
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

/** A round is seeded with the bootnodes and this many of the peers already known; their buckets hold the others. */
const MAX_SEEDS = 64;

/** A node that tells of so many others at crowded places in one answer is making them up. */
const CROWDED_ANSWER = 16;

/** New peers and newer records, with the entries that announce them. */
interface News {
  readonly arrivals: readonly Arrival[];
  readonly entries: readonly LogEntry[];
}

interface Arrival {
  readonly node: NodeRecord;
  /** Those of its addresses that may be dialled. */
  readonly addresses: readonly string[];
}

/**
 * Fills the registry: walks the DHT in rounds and listens to who comes by. A peer enters the registry when its
 * announcement is durable; one whose announcement failed is announced when it is met again.
 */
export function crawl(discovery: DiscoveryStage, ports: CrawlPorts, registry: Registry, options: CrawlOptions): Crawl {
  const { network, source, limits, scheduler, ownPeerId } = options;
  const { isOpen$ = of(true) } = ports;
  const crawlSlots = createSlots(limits.crawlers);
  const heardSlots = createSlots(limits.heard);
  /** Records whose announcement is on its way to the log: met again meanwhile, they are not announced twice. */
  const announcing = new Set<string>();
  /** The peers of those records: not in the registry yet, but they have their place. */
  const arriving = new Set<string>();
  let heardDropped = 0;
  let nextRoundEpoch = Number.NEGATIVE_INFINITY;
  let epoch = source.clock.epochAt(scheduler.now());
  let lastRound: Coverage | null = null;

  const isOurs = ({ eth2 }: NodeRecord) => eth2 !== null && acceptedDigests(network, epoch).has(eth2.forkDigest);
  const frontier = createFrontier({ maxNodes: limits.peers, isOurs });
  const { problems$, nameOnce, blame } = createCrawlProblems(limits.peers);
  /** Those who told of others, by their records. */
  const tellers = createTellers();
  const admission = createAdmission({
    network,
    optOut: options.optOut,
    entries: limits.entriesPerPlace,
    asked: limits.askedPerPlace,
    isKnown: (peerId) => registry.get(peerId) !== undefined || arriving.has(peerId),
  });
  const bootnodes = network.bootnodes.flatMap(targetOf);

  /** Gives a node to the frontier, and remembers who told of it when it will be asked. */
  function take(node: NodeRecord, teller: string | undefined): boolean {
    let isAsked = false;
    const taken = frontier.add(node, (record) => {
      const verdict = admission.mayAsk(record);
      isAsked = verdict === 'yes';
      return verdict;
    });
    if (taken && isAsked && teller !== undefined) tellers.told(teller, node.nodeId);
    return taken;
  }

  /** Gives records to the frontier, and holds those that are news until `settle`. */
  function meet(met: readonly NodeRecord[], teller?: string): News {
    const arrivals = met.flatMap((node): Arrival[] => {
      if (node.peerId === ownPeerId || admission.declines(node) || !take(node, teller)) return [];
      if (!isOurs(node) || announcing.has(node.enr) || !registry.wants(node.peerId, node.sequence)) return [];
      const { admitted, addresses, problem } = admission.judge(node);
      if (problem !== null) nameOnce(node, problem);
      if (!admitted) return [];
      announcing.add(node.enr);
      arriving.add(node.peerId);
      return [{ node, addresses }];
    });
    const nowMs = scheduler.now();
    return { arrivals, entries: arrivals.map(({ node }) => discoveredEntry(node, nowMs, source)) };
  }

  function settle({ arrivals }: News, failure: Failure | null): void {
    const nowMs = scheduler.now();
    for (const { node, addresses } of arrivals) {
      const { peerId, enr, sequence: enrSequence } = node;
      announcing.delete(enr);
      arriving.delete(peerId);
      if (failure === null) registry.send(peerId, { type: 'discovered', enr, enrSequence, addresses, nowMs });
    }
  }

  /** Names a node that floods us with others. */
  function judgeAnswer({ target, answer }: DiscoveryAnswer, droppedBefore: number): void {
    const dropped = frontier.dropped - droppedBefore;
    if (answer.ok && dropped >= CROWDED_ANSWER) {
      blame(target.enr, `${dropped} of ${answer.value.records.length} nodes it told of are at crowded places`);
    }
    const inventor = tellers.heard(target.nodeId, answer.ok);
    if (inventor !== null) blame(inventor, `none of ${SILENT_IN_A_ROW} nodes that it alone told of has answered`);
  }

  /** Asks nodes for their buckets, bounded by slots, until the round has met everybody. */
  const asking$ = whileOpen(isOpen$, pull(frontier, crawlSlots, scheduler)).pipe(
    discovery,
    map((answered) => {
      const droppedBefore = frontier.dropped;
      const news = meet(answered.answer.ok ? answered.answer.value.records : [], answered.target.enr);
      judgeAnswer(answered, droppedBefore);
      return { answered, ...news };
    }),
    record(ports.log, options.record),
    tap(({ item, failure }) => {
      settle(item, failure);
      crawlSlots.release();
      frontier.answered(item.answered, scheduler.now());
    }),
    ignoreElements(),
  );

  const listening$ = whileOpen(isOpen$, ports.heard$).pipe(
    filter(() => {
      const admitted = heardSlots.tryTake();
      if (!admitted) heardDropped++;
      return admitted;
    }),
    map((node) => meet([node])),
    filter(({ entries }) => {
      if (entries.length === 0) heardSlots.release();
      return entries.length > 0;
    }),
    record(ports.log, options.record),
    tap(({ item, failure }) => {
      settle(item, failure);
      heardSlots.release();
    }),
    ignoreElements(),
  );

  const ended$ = frontier.rounds$.pipe(
    tap((coverage) => {
      lastRound = coverage;
      if (coverage.answered === 0) nextRoundEpoch = epoch + 1;
    }),
  );

  function targetOf(enr: string): DiscoveryTarget[] {
    const decoded = decodeNodeRecord(enr);
    return decoded.ok && !admission.declines(decoded.value) ? [{ nodeId: decoded.value.nodeId, enr }] : [];
  }

  function seeds(): DiscoveryTarget[] {
    const known: DiscoveryTarget[] = [];
    for (const { enr, failures } of registry.records()) {
      if (known.length >= MAX_SEEDS) break;
      if (enr !== null && failures === 0) known.push(...targetOf(enr));
    }
    return [...bootnodes, ...known];
  }

  return {
    problems$,
    // Who listens for the end of rounds does so before one starts.
    rounds$: merge(ended$, asking$, listening$),
    beginEpoch(begun) {
      epoch = begun;
      if (frontier.running || begun < nextRoundEpoch) return;
      // A round without anybody to ask ends at once, and then says itself when the next one is.
      nextRoundEpoch = begun + options.crawlEveryEpochs;
      admission.beginRound();
      tellers.beginRound();
      frontier.startRound(seeds(), scheduler.now());
    },
    stats: () => ({ asking: crawlSlots.taken, waitingToAsk: frontier.waiting, lastRound, heardDropped }),
  };
}
