import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import type { Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createSubscriptionBook } from '../../../../src/io/network/libp2p/subscription-book.ts';
import type { SubscriptionRpc } from '../../../../src/streams/ports/peer-link.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const said = (...topics: string[]) => topics.map((topic) => ({ topic, subscribe: true }));

function setUp() {
  let nowMs = 0;
  return createSubscriptionBook(() => ++nowMs);
}

/** A text in one piece, as a decoder makes it. */
const flat = (text: string) => Buffer.from(text).toString();

function heardOf(rpcs$: Observable<SubscriptionRpc>): SubscriptionRpc[] {
  const heard: SubscriptionRpc[] = [];
  rpcs$.subscribe((rpc) => heard.push(rpc)).unsubscribe();
  return heard;
}

const topicsOf = (rpcs: readonly SubscriptionRpc[]) => rpcs.map(({ changes }) => changes.map(({ topic }) => topic));

describe('the subscription book', () => {
  it('tells what was said before and after somebody asked', () => {
    const book = setUp();
    book.open('a');
    book.heard('a', said('x'));
    book.heard('b', said('y'));
    const heard: SubscriptionRpc[] = [];
    const listening = book.of('a').subscribe((rpc) => heard.push(rpc));
    book.heard('a', said('z'));
    listening.unsubscribe();
    book.heard('a', said('late'));
    expect(heard).toMatchObject([
      { atMs: 1, changes: said('x') },
      { atMs: 2, changes: said('z') },
    ]);
  });

  it('keeps the words of a peer that has gone for whoever asked before, and for nobody else', () => {
    const book = setUp();
    book.open('a');
    const asked = book.of('a');
    book.heard('a', said('hello'));
    book.close('a');
    const heard: SubscriptionRpc[] = [];
    asked.subscribe((rpc) => heard.push(rpc)).unsubscribe();
    expect(topicsOf(heard)).toEqual([['hello']]);
    book
      .of('a')
      .subscribe((rpc) => heard.push(rpc))
      .unsubscribe();
    expect(heard).toHaveLength(1);
  });

  it('keeps nothing of peers that are not connected', () => {
    const book = setUp();
    for (let peer = 0; peer < 100; peer++) {
      book.heard(`${peer}`, said('x'));
      book.of(`${peer}`).subscribe().unsubscribe();
    }
    expect(book.size).toBe(0);
    book.open('a');
    book.open('a');
    expect(book.size).toBe(1);
    book.close('a');
    expect(book.size).toBe(0);
  });

  it('does not forget a connected peer because it connects a second time', () => {
    const book = setUp();
    book.open('a');
    book.heard('a', said('x'));
    book.open('a');
    const heard: SubscriptionRpc[] = [];
    book
      .of('a')
      .subscribe((rpc) => heard.push(rpc))
      .unsubscribe();
    expect(topicsOf(heard)).toEqual([['x']]);
  });

  it('counts each of many RPCs with a single topic', () => {
    const book = setUp();
    book.open('a');
    const topics = Array.from({ length: 300 }, (_, index) => `topic ${index}`);
    for (const topic of topics) book.heard('a', said(topic));
    expect(topicsOf(heardOf(book.of('a')))).toEqual(topics.map((topic) => [topic]));
  });

  it('stops listening to a peer that talks without end, whatever it makes of its RPCs', () => {
    const book = setUp();
    const talk: Record<string, (rpc: number) => readonly { topic: string; subscribe: boolean }[]> = {
      many: () => said('x'),
      large: () => said(...Array.from({ length: 1_000 }, () => 'x')),
      undecided: (rpc) => [{ topic: 'x', subscribe: rpc % 2 === 0 }],
    };
    for (const [peer, words] of Object.entries(talk)) {
      book.open(peer);
      for (let rpc = 0; rpc < 10_000; rpc++) book.heard(peer, words(rpc));
      const kept = heardOf(book.of(peer));
      const changes = kept.flatMap((rpc) => rpc.changes).length;
      expect([peer, changes, kept.length <= 4_096]).toEqual([peer, 4_096, true]);
      expect(kept.reduce((sum, rpc) => sum + (rpc.dropped ?? 0), 0)).toBe(
        talk[peer] === talk['large'] ? 10_000_000 - 4_096 : 10_000 - 4_096,
      );
    }
  });

  it('says how much it left out', () => {
    const book = setUp();
    book.open('a');
    const heard: SubscriptionRpc[] = [];
    book.of('a').subscribe((rpc) => heard.push(rpc));
    for (const count of [4_000, 100, 50]) book.heard('a', said(...Array.from({ length: count }, () => 'x')));
    expect(heard.map(({ changes, dropped }) => [changes.length, dropped])).toEqual([
      [4_000, 0],
      [96, 4],
      [0, 50],
    ]);
  });

  it('cuts a topic that is longer than any', () => {
    const book = setUp();
    book.open('a');
    const heard: SubscriptionRpc[] = [];
    book.of('a').subscribe((rpc) => heard.push(rpc));
    book.heard('a', said('x'.repeat(100_000)));
    expect(topicsOf(heard)).toEqual([['x'.repeat(128)]]);
  });

  it('holds nothing of what it has cut', () => {
    const book = setUp();
    book.open('a');
    const beforeBytes = process.memoryUsage().heapUsed;
    for (let rpc = 0; rpc < 200; rpc++) book.heard('a', said(flat(`${rpc} ${'x'.repeat(1_000_000)}`)));
    collectGarbage();
    expect(process.memoryUsage().heapUsed - beforeBytes).toBeLessThan(20_000_000);
    expect(heardOf(book.of('a'))).toHaveLength(200);
  });

  it('takes an RPC without any topic for a hello, but for nothing after one', () => {
    const book = setUp();
    for (const peer of ['empty', 'full']) book.open(peer);
    const live = heardLive(book.of('empty'));
    book.heard('empty', []);
    book.heard('empty', []);
    book.heard('full', said('x'));
    book.heard('full', []);
    expect(topicsOf(live)).toEqual([[]]);
    expect(topicsOf(heardOf(book.of('empty')))).toEqual([[]]);
    expect(topicsOf(heardOf(book.of('full')))).toEqual([['x']]);
  });
});

/** What comes from now on. */
function heardLive(rpcs$: Observable<SubscriptionRpc>): SubscriptionRpc[] {
  const heard: SubscriptionRpc[] = [];
  rpcs$.subscribe((rpc) => heard.push(rpc));
  return heard;
}

describe('a second look at a connection', () => {
  const leaves = (...topics: string[]) => topics.map((topic) => ({ topic, subscribe: false }));
  const standingAt = (book: ReturnType<typeof setUp>, nowMs: number) => heardOf(book.standing('a', nowMs));

  it('begins with what is subscribed to by then, as if that were the hello', () => {
    const book = setUp();
    book.open('a');
    book.heard('a', said('x', 'y', 'z'));
    book.heard('a', leaves('y'));
    book.heard('a', [...leaves('x'), ...said('w')]);
    expect(standingAt(book, 5_000)).toEqual([{ atMs: 5_000, changes: said('z', 'w') }]);
    const live = heardLive(book.standing('a', 6_000));
    book.heard('a', said('y'));
    expect(live.map(({ changes }) => changes)).toEqual([said('z', 'w'), said('y')]);
  });

  it('is for any changes what a set of topics is after them', () => {
    const change = fc.record({ topic: fc.constantFrom('a', 'b', 'c', 'd', 'e'), subscribe: fc.boolean() });
    const step = fc.oneof(fc.array(change, { maxLength: 6 }), fc.constant('look' as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const book = setUp();
        book.open('a');
        book.heard('a', []);
        const truth = new Set<string>();
        for (const said of steps) {
          if (said === 'look') standingAt(book, 1);
          else book.heard('a', said);
          for (const { topic, subscribe } of said === 'look' ? [] : said) truth[subscribe ? 'add' : 'delete'](topic);
          const [standing] = standingAt(book, 2);
          expect(standing?.changes.map(({ topic }) => topic).sort()).toEqual([...truth].sort());
          expect(standing?.changes.every(({ subscribe }) => subscribe)).toBe(true);
        }
      }),
    );
  });

  it('of a peer that has left all its topics is an empty hello, and of one that has not said a word is none', () => {
    const book = setUp();
    book.open('a');
    expect(standingAt(book, 1)).toEqual([]);
    book.heard('a', said('x'));
    book.heard('a', leaves('x'));
    expect(standingAt(book, 2)).toEqual([{ atMs: 2, changes: [] }]);
  });

  it('listens anew to a peer that had said too much', () => {
    const book = setUp();
    book.open('a');
    for (let rpc = 0; rpc < 5_000; rpc++) book.heard('a', said('x'));
    expect(topicsOf(standingAt(book, 1))).toEqual([['x']]);
    book.heard('a', said('y'));
    expect(topicsOf(heardOf(book.of('a')))).toEqual([['x'], ['y']]);
  });

  it('knows also what came when that was no longer kept word by word', () => {
    const book = setUp();
    book.open('a');
    for (let rpc = 0; rpc < 5_000; rpc++) book.heard('a', said('x'));
    book.heard('a', [...said('y'), ...leaves('x')]);
    expect(topicsOf(standingAt(book, 1))).toEqual([['y']]);
  });

  it('has a bound for those who are subscribed to everything', () => {
    const book = setUp();
    book.open('a');
    for (let topic = 0; topic < 100_000; topic++) book.heard('a', said(`topic ${topic}`));
    const [standing] = standingAt(book, 1);
    expect(standing?.changes).toHaveLength(2_048);
    book.heard('a', leaves('topic 0'));
    book.heard('a', said('another'));
    expect(standingAt(book, 2)[0]?.changes.at(-1)).toEqual({ topic: 'another', subscribe: true });
  });

  it('a thousand times over keeps no more than what is subscribed to, and what came since', () => {
    const book = setUp();
    book.open('a');
    for (let look = 0; look < 1_000; look++) {
      for (let slot = 0; slot < 32; slot++) {
        book.heard('a', [...said(`short ${slot % 2}`), ...leaves(`short ${(slot + 1) % 2}`)]);
      }
      expect(standingAt(book, look)).toEqual([{ atMs: look, changes: said('short 1') }]);
    }
    expect(heardOf(book.of('a'))).toHaveLength(1);
  });
});
