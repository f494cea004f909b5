import { describe, expect, it } from 'vitest';
import { createSubscriptionBook } from '../../../../src/io/network/libp2p/subscription-book.ts';
import type { SubscriptionRpc } from '../../../../src/streams/ports/peer-link.ts';

const said = (...topics: string[]) => topics.map((topic) => ({ topic, subscribe: true }));

function setUp() {
  let nowMs = 0;
  return createSubscriptionBook(() => ++nowMs);
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

  it('stops listening to a peer that talks without end', () => {
    const book = setUp();
    book.open('many');
    book.open('large');
    for (let rpc = 0; rpc < 1_000; rpc++) book.heard('many', said('x'));
    for (let rpc = 0; rpc < 10; rpc++) book.heard('large', said(...Array.from({ length: 1_000 }, () => 'x')));
    const heard = new Map(['many', 'large'].map((peer): [string, SubscriptionRpc[]] => [peer, []]));
    for (const [peer, rpcs] of heard) {
      book
        .of(peer)
        .subscribe((rpc) => rpcs.push(rpc))
        .unsubscribe();
    }
    expect(heard.get('many')).toHaveLength(256);
    const kept = (heard.get('large') ?? []).flatMap(({ changes }) => changes);
    expect(kept.length).toBeGreaterThanOrEqual(4_000);
    expect(kept.length).toBeLessThanOrEqual(4_096);
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
});
