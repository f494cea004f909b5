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
  /** As if the peer said its hello at `nowMs`: what it is subscribed to by then, then what comes. */
  standing(peerId: string, nowMs: number): Observable<SubscriptionRpc>;
  /** The peer has disconnected. */
  close(peerId: string): void;
  readonly size: number;
}

/**
 * Beyond this a peer is not listened to any more until it is looked at anew: an honest one says a few hundred topics, then a few
 * changes a slot. An RPC counts as one change at least. What is left out is counted.
 */
const MAX_CHANGES = 4_096;
/** Topics that a peer may be subscribed to at a time; those of two forks, with all columns, are some 450. */
const MAX_TOPICS = 2_048;
/** The longest topic there is has about 70 characters. */
const MAX_TOPIC_LENGTH = 128;

interface Page {
  history: SubscriptionRpc[];
  readonly live: Subject<SubscriptionRpc>;
  /** Topics that it has not left again. */
  readonly topics: Set<string>;
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
      // After the hello an RPC that says nothing of topics is no news.
      if (page === undefined || (changes.length === 0 && page.history.length > 0)) return;
      write(page, changes, now());
    },
    of(peerId) {
      const page = pages.get(peerId) ?? blankPage();
      return defer(() => concat(from([...page.history]), page.live));
    },
    standing(peerId, nowMs) {
      const page = pages.get(peerId) ?? blankPage();
      return defer(() => {
        sumUp(page, nowMs);
        return concat(from([...page.history]), page.live);
      });
    },
    close: (peerId) => {
      pages.delete(peerId);
    },
    get size() {
      return pages.size;
    },
  };
}

function write(page: Page, said: readonly SubscriptionChange[], atMs: number): void {
  const changes = said.slice(0, MAX_CHANGES).map(({ topic, subscribe }) => ({ topic: cut(topic), subscribe }));
  for (const change of changes) follow(page.topics, change);
  const kept = changes.slice(0, Math.max(0, MAX_CHANGES - page.changes));
  const rpc = { atMs, changes: kept, dropped: said.length - kept.length };
  if (page.changes < MAX_CHANGES) page.history.push(rpc);
  else countDropped(page, rpc.dropped);
  page.changes += Math.max(1, kept.length);
  page.live.next(rpc);
}

/** Also what is not kept word by word counts for what the peer is subscribed to. */
function follow(topics: Set<string>, { topic, subscribe }: SubscriptionChange): void {
  if (!subscribe) topics.delete(topic);
  else if (topics.size < MAX_TOPICS) topics.add(topic);
}

/** The start of a text that is too long, as a text of its own: a slice would hold all of it. */
function cut(topic: string): string {
  return topic.length <= MAX_TOPIC_LENGTH ? topic : Buffer.from(topic.slice(0, MAX_TOPIC_LENGTH)).toString();
}

/** What comes when nothing more is kept must not be kept either. */
function countDropped({ history }: Page, dropped: number): void {
  const last = history.at(-1);
  if (last !== undefined) history[history.length - 1] = { ...last, dropped: (last.dropped ?? 0) + dropped };
}

/** Puts in the place of all that was said what it has come to. */
function sumUp(page: Page, nowMs: number): void {
  if (page.history.length === 0) return;
  page.history = [{ atMs: nowMs, changes: [...page.topics].map((topic) => ({ topic, subscribe: true })) }];
  page.changes = page.topics.size;
}

function blankPage(): Page {
  return { history: [], live: new Subject<SubscriptionRpc>(), topics: new Set(), changes: 0 };
}
