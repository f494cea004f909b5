import { concat, defer, from, type Observable, Subject } from 'rxjs';
import type { SubscriptionChange, SubscriptionRpc } from '../../../streams/ports/peer-link.ts';

/**
 * What each connected peer has said of its gossip topics. The hello often arrives before the dial has even been
 * reported, so everything is kept from the first word on, until the peer disconnects. Whoever asked for a peer's words
 * before that keeps them.
 */
export interface SubscriptionBook {
  /** The peer has connected; from now on its words are kept. */
  open(peerId: string): void;
  /** Words of a peer that is not connected are dropped. */
  heard(peerId: string, changes: readonly SubscriptionChange[]): void;
  /** What was heard so far, then what comes. Does not complete. Empty for a peer that is not connected. */
  of(peerId: string): Observable<SubscriptionRpc>;
  /** The peer has disconnected. */
  close(peerId: string): void;
  readonly size: number;
}

/** Beyond these a peer is not listened to any more: an honest one says a few hundred topics, then a few changes a slot. */
const MAX_RPCS = 256;
const MAX_CHANGES = 4_096;
/** The longest topic there is has about 70 characters. */
const MAX_TOPIC_LENGTH = 128;

interface Page {
  readonly history: SubscriptionRpc[];
  readonly live: Subject<SubscriptionRpc>;
  changes: number;
}

export function createSubscriptionBook(now: () => number): SubscriptionBook {
  const pages = new Map<string, Page>();

  return {
    open(peerId) {
      if (!pages.has(peerId)) pages.set(peerId, blankPage());
    },
    heard(peerId, changes) {
      const page = pages.get(peerId);
      if (page === undefined || page.history.length >= MAX_RPCS) return;
      const kept = changes
        .slice(0, MAX_CHANGES - page.changes)
        .map(({ topic, subscribe }) => ({ topic: topic.slice(0, MAX_TOPIC_LENGTH), subscribe }));
      const rpc = { atMs: now(), changes: kept, dropped: changes.length - kept.length };
      page.changes += kept.length;
      page.history.push(rpc);
      page.live.next(rpc);
    },
    of(peerId) {
      const { history, live } = pages.get(peerId) ?? blankPage();
      return defer(() => concat(from([...history]), live));
    },
    close: (peerId) => {
      pages.delete(peerId);
    },
    get size() {
      return pages.size;
    },
  };
}

function blankPage(): Page {
  return { history: [], live: new Subject<SubscriptionRpc>(), changes: 0 };
}
