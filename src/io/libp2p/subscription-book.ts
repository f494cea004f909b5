import { concat, defer, from, type Observable, Subject } from 'rxjs';
import type { SubscriptionChange, SubscriptionRpc } from '../../streams/ports/peer-link.ts';

/**
 * What each connected peer has said of its gossip topics. The hello often arrives before the dial has even been
 * reported, so it is kept from the first word on, until the peer disconnects.
 */
export interface SubscriptionBook {
  heard(peerId: string, changes: readonly SubscriptionChange[]): void;
  /** What was heard so far, then what comes. Does not complete. */
  of(peerId: string): Observable<SubscriptionRpc>;
  forget(peerId: string): void;
}

/** Beyond these a peer is not listened to any more: an honest one says a few hundred topics, then a few changes a slot. */
const MAX_RPCS = 256;
const MAX_CHANGES = 4_096;

interface Page {
  readonly history: SubscriptionRpc[];
  readonly live: Subject<SubscriptionRpc>;
  changes: number;
}

export function createSubscriptionBook(now: () => number): SubscriptionBook {
  const pages = new Map<string, Page>();

  function pageOf(peerId: string): Page {
    const page = pages.get(peerId) ?? { history: [], live: new Subject<SubscriptionRpc>(), changes: 0 };
    pages.set(peerId, page);
    return page;
  }

  return {
    heard(peerId, changes) {
      const page = pageOf(peerId);
      page.changes += changes.length;
      if (page.history.length >= MAX_RPCS || page.changes > MAX_CHANGES) return;
      const rpc = { atMs: now(), changes };
      page.history.push(rpc);
      page.live.next(rpc);
    },
    of: (peerId) =>
      defer(() => {
        const { history, live } = pageOf(peerId);
        return concat(from([...history]), live);
      }),
    forget: (peerId) => {
      pages.delete(peerId);
    },
  };
}
