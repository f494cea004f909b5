import type { SchedulerLike } from 'rxjs';
import type { Registry } from '../../actors/registry.ts';
import type { Failure } from '../../consensus/failure.ts';
import type { NodeRecord } from '../../consensus/node-record.ts';
import type { Admission } from '../admission.ts';
import { discoveredEntry, type EventSource } from '../events-of.ts';
import type { LogEntry } from '../ports/event-log.ts';
import type { Arrivals } from './arrivals.ts';
import type { CrawlProblems } from './crawl-problems.ts';

/** New peers and newer records, with the entries that announce them. */
export interface News {
  readonly arrivals: readonly Arrival[];
  readonly entries: readonly LogEntry[];
}

export interface Arrival {
  readonly node: NodeRecord;
  /** Those of its addresses that may be dialled. */
  readonly addresses: readonly string[];
}

/**
 * The way of a record into the registry. A peer enters the registry when its announcement is durable; one whose
 * announcement failed is announced when it is met again.
 */
export interface Announcing {
  /** Those of the records that are news. They are arriving until `settle`. */
  newsOf(records: readonly NodeRecord[]): News;
  /** The announcements are durable, or never will be. */
  settle(news: News, failure: Failure | null): void;
}

export interface AnnouncingOptions {
  readonly registry: Pick<Registry, 'wants' | 'send'>;
  readonly arrivals: Arrivals;
  readonly judge: Admission['judge'];
  readonly isOurs: (record: NodeRecord) => boolean;
  readonly nameOnce: CrawlProblems['nameOnce'];
  readonly source: EventSource;
  readonly scheduler: Pick<SchedulerLike, 'now'>;
}

export function createAnnouncing(options: AnnouncingOptions): Announcing {
  const { registry, arrivals, judge, isOurs, nameOnce, source, scheduler } = options;

  function arrivalOf(node: NodeRecord): Arrival[] {
    if (!isOurs(node) || arrivals.isOnItsWay(node) || !registry.wants(node.peerId, node.sequence)) return [];
    const { admitted, addresses, problem } = judge(node);
    if (problem !== null) nameOnce(node, problem);
    if (!admitted) return [];
    arrivals.begin(node);
    return [{ node, addresses }];
  }

  return {
    newsOf(records) {
      const arriving = records.flatMap(arrivalOf);
      const nowMs = scheduler.now();
      return { arrivals: arriving, entries: arriving.map(({ node }) => discoveredEntry(node, nowMs, source)) };
    },
    settle(news, failure) {
      const nowMs = scheduler.now();
      for (const { node, addresses } of news.arrivals) {
        const { peerId, enr, sequence: enrSequence } = node;
        arrivals.end(node);
        if (failure === null) registry.send(peerId, { type: 'discovered', enr, enrSequence, addresses, nowMs });
      }
    },
  };
}
