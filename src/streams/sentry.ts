import { map, merge, type Observable, tap } from 'rxjs';
import type { PeerState } from '../actors/peer.ts';
import type { Registry, RegistryCounts } from '../actors/registry.ts';
import type { CrawlProblem } from './crawl/crawl-problems.ts';
import { type CrawlLimits, type CrawlOptions, type CrawlPorts, type CrawlStats, crawl } from './crawl.ts';
import type { DiscoveryStage } from './discovery.ts';
import type { Happening } from './happening.ts';
import type { VisitFailure } from './visit.ts';
import type { VisitCounts, VisitTally } from './visit-tally.ts';
import { createPeers } from './visits/peers.ts';
import { type VisitLimits, type VisitPorts, type VisitStages, visiting } from './visits/visiting.ts';

export type { Happening } from './happening.ts';

/** The stages of the pipeline. An experiment passes another function of the same type in place of one of them. */
export interface SentryStages extends VisitStages {
  /** Emits the current epoch, then each epoch as it begins. */
  readonly epochTick: Observable<number>;
  readonly discovery: DiscoveryStage;
}

export interface SentryPorts extends CrawlPorts, VisitPorts {}

export interface SentryLimits extends CrawlLimits, VisitLimits {
  /** Peers kept in the registry, and nodes met in one crawl round. */
  readonly peers: number;
}

export interface SentryOptions extends CrawlOptions {
  readonly limits: SentryLimits;
  readonly tally: VisitTally;
  /** Peers of an earlier run. */
  readonly restored: readonly PeerState[];
}

export interface SentryStats extends CrawlStats, VisitCounts {
  readonly epoch: number;
  readonly peers: RegistryCounts;
  readonly inFlight: number;
  /** Connections from peers that are kept or held without a visit. */
  readonly waiting: number;
}

export interface Sentry {
  /** Subscribing starts the pipeline, once; unsubscribing stops it. Errors only when the program is wrong. */
  readonly happenings$: Observable<Happening>;
  stats(): SentryStats;
  readonly registry: Registry;
}

/** The lease of failures that no visit was needed for. */
const NO_VISIT = -1;

/** Composes the stages into the pipeline: one registry, which discovery fills and visits empty, and the epochs' beat. */
export function sentry(stages: SentryStages, ports: SentryPorts, options: SentryOptions): Sentry {
  const { source, limits, tally, scheduler, restored } = options;
  const { clock } = source;
  let epoch = clock.epochAt(scheduler.now());
  const peers = createPeers({ clock, maxPeers: limits.peers, restored });
  const { registry } = peers;
  const discovering = crawl(stages.discovery, ports, registry, options);
  const visits = visiting(stages, ports, peers, options);

  const problem$ = discovering.problems$.pipe(
    map(failureOfProblem),
    tap(tally.problem),
    map((failure): Happening => ({ type: 'failed', failure })),
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
    happenings$: merge(problem$, round$, visits.ended$, epoch$),
    registry,
    stats: () => ({
      epoch,
      peers: registry.counts(scheduler.now()),
      inFlight: visits.inFlight,
      waiting: visits.waiting,
      ...tally.counts(),
      ...discovering.stats(),
    }),
  };
}

function failureOfProblem({ peerId, failure }: CrawlProblem): VisitFailure {
  return { peerId, lease: NO_VISIT, failure };
}
