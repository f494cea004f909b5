import type { Observable, SchedulerLike } from 'rxjs';
import type { Registry } from '../../actors/registry.ts';
import type { CrowdLimits } from '../../consensus/address-policy.ts';
import type { Network } from '../../consensus/network.ts';
import type { NodeRecord } from '../../consensus/node-record.ts';
import type { OptOut } from '../../consensus/opt-out.ts';
import { createAdmission } from '../admission.ts';
import type { DiscoveryAnswer } from '../discovery.ts';
import type { EventSource } from '../events-of.ts';
import { type Announcing, createAnnouncing, type News } from './announcing.ts';
import { createArrivals } from './arrivals.ts';
import { type CrawlProblem, createCrawlProblems } from './crawl-problems.ts';
import type { Frontier } from './frontier.ts';
import { createMeet } from './meet.ts';
import { createSuspicion } from './suspicion.ts';

/** Where every record comes by, whoever told of it, on its way to the frontier, and as news to the log and the registry. */
export interface Reception {
  /** Takes what a node told of. */
  receiveAnswer(answer: DiscoveryAnswer): News;
  /** Takes a node that came to us unasked. */
  receiveUnasked(node: NodeRecord): News;
  readonly settle: Announcing['settle'];
  /** Whether we are to have nothing to do with the node. */
  declines(record: NodeRecord): boolean;
  /** Forgets who was asked and who told of whom. */
  beginRound(): void;
  /** What was wrong with nodes, as they are met; once a record. */
  readonly problems$: Observable<CrawlProblem>;
}

export interface ReceptionOptions {
  readonly network: Network;
  readonly optOut: OptOut;
  readonly ownPeerId: string;
  readonly source: EventSource;
  readonly scheduler: Pick<SchedulerLike, 'now'>;
  readonly limits: {
    /** Records of which it is remembered what was wrong with them. */
    readonly peers: number;
    readonly entriesPerPlace: CrowdLimits;
    readonly askedPerPlace: CrowdLimits;
  };
  readonly registry: Pick<Registry, 'get' | 'wants' | 'send'>;
  readonly frontier: Pick<Frontier, 'add'>;
  readonly isOurs: (record: NodeRecord) => boolean;
}

export function createReception(options: ReceptionOptions): Reception {
  const { network, optOut, ownPeerId, limits, registry, frontier, isOurs, source, scheduler } = options;
  const { problems$, nameOnce, blame } = createCrawlProblems(limits.peers);
  const suspicion = createSuspicion(blame);
  const arrivals = createArrivals();
  const admission = createAdmission({
    network,
    optOut,
    entries: limits.entriesPerPlace,
    asked: limits.askedPerPlace,
    isKnown: (peerId) => registry.get(peerId) !== undefined || arrivals.has(peerId),
  });
  const meet = createMeet({ ownPeerId, admission, frontier, suspicion });
  const { newsOf, settle } = createAnnouncing({
    registry,
    arrivals,
    judge: admission.judge,
    isOurs,
    nameOnce,
    source,
    scheduler,
  });

  return {
    problems$,
    declines: admission.declines,
    settle,
    beginRound() {
      admission.beginRound();
      suspicion.beginRound();
    },
    receiveUnasked: (node) => newsOf(meet([node]).taken),
    receiveAnswer(answered) {
      const { target, answer } = answered;
      const { taken, turnedAway } = meet(answer.ok ? answer.value.records : [], target.enr);
      const news = newsOf(taken);
      suspicion.judge(answered, turnedAway);
      return news;
    },
  };
}
