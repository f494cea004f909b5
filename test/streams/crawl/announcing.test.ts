import { describe, expect, it } from 'vitest';
import type { PeerMessage } from '../../../src/actors/peer.ts';
import { decodeEvent } from '../../../src/consensus/events.ts';
import { failure } from '../../../src/consensus/failure.ts';
import type { Verdict } from '../../../src/streams/admission.ts';
import { createAnnouncing } from '../../../src/streams/crawl/announcing.ts';
import { createArrivals } from '../../../src/streams/crawl/arrivals.ts';
import { CLOCK, DIGEST, forkId, nodeRecord, OTHER_DIGEST } from '../../support/streams/network.ts';

const ADDRESS = '/ip4/10.0.0.1/tcp/9000';
const ADMITTED: Verdict = { admitted: true, addresses: [ADDRESS], problem: null };
const MALFORMED = failure('resolve', 'bad_response');
const CROWDED = failure('resolve', 'resource_limited');

function announcingWith(verdict = ADMITTED, wants = true) {
  const arrivals = createArrivals();
  const sent: [peerId: string, message: PeerMessage][] = [];
  const named: string[] = [];
  let ids = 0;
  let nowMs = 5;
  const announcing = createAnnouncing({
    registry: { wants: () => wants, send: (peerId, message) => sent.push([peerId, message]) },
    arrivals,
    judge: () => verdict,
    isOurs: ({ eth2 }) => eth2?.forkDigest === DIGEST,
    nameOnce: ({ peerId }, { cause }) => named.push(`${peerId} ${cause}`),
    source: { clock: CLOCK, crawlerId: 'test', crawlerLocation: 'here', nextEventId: () => `e:${ids++}` },
    scheduler: { now: () => nowMs },
  });
  const waitTo = (ms: number) => {
    nowMs = ms;
  };
  return { announcing, arrivals, sent, named, waitTo };
}

describe('a record that is met', () => {
  it.each<[string, Parameters<typeof announcingWith>, Parameters<typeof nodeRecord>[1], boolean, string[]]>([
    ['of our network is news', [], {}, true, []],
    ['of another network is not', [], { eth2: forkId(OTHER_DIGEST) }, false, []],
    ['that the registry has is not', [ADMITTED, false], {}, false, []],
    [
      'whose place is crowded is not, and that is named',
      [{ admitted: false, addresses: [], problem: CROWDED }],
      {},
      false,
      ['a resource_limited'],
    ],
    [
      'with something wrong is news, and that is named',
      [{ ...ADMITTED, problem: MALFORMED }],
      {},
      true,
      ['a bad_response'],
    ],
  ])('%s', (_, setting, fields, isNews, problems) => {
    const { announcing, arrivals, named } = announcingWith(...setting);
    const { entries, arrivals: arriving } = announcing.newsOf([nodeRecord('a', fields)]);
    expect([entries.length, arriving.length]).toEqual(isNews ? [1, 1] : [0, 0]);
    expect(arrivals.has('a')).toBe(isNews);
    expect(named).toEqual(problems);
  });

  it('is not news a second time while it is on its way, but a newer one is', () => {
    const { announcing } = announcingWith();
    const newer = nodeRecord('a', { sequence: 2n, enr: 'enr:a2' });
    const { arrivals } = announcing.newsOf([nodeRecord('a'), nodeRecord('a'), newer]);
    expect(arrivals.map(({ node }) => node.enr)).toEqual(['enr:a', 'enr:a2']);
  });
});

describe('createAnnouncing', () => {
  it('announces a record as it is met, and tells the registry of it when that is durable', () => {
    const { announcing, arrivals, sent, waitTo } = announcingWith();
    const news = announcing.newsOf([nodeRecord('a')]);
    const [entry] = news.entries;
    if (entry === undefined) throw new Error('it was to be announced');
    expect(decodeEvent(entry.subject, entry.payload)).toMatchObject({
      ok: true,
      value: { event: { enr: 'enr:a', id: 'a', timestamp: 5, event_id: 'e:0' } },
    });
    expect(sent).toEqual([]);
    waitTo(9);
    announcing.settle(news, null);
    expect(sent).toEqual([
      ['a', { type: 'discovered', enr: 'enr:a', enrSequence: 1n, addresses: [ADDRESS], nowMs: 9 }],
    ]);
    expect(arrivals.has('a')).toBe(false);
  });

  it('lets go of a record that cannot be announced, which is news when it is met again', () => {
    const { announcing, arrivals, sent } = announcingWith();
    announcing.settle(announcing.newsOf([nodeRecord('a')]), failure('record', 'resource_limited'));
    expect(sent).toEqual([]);
    expect(arrivals.has('a')).toBe(false);
    expect(announcing.newsOf([nodeRecord('a')]).arrivals).toHaveLength(1);
  });
});
