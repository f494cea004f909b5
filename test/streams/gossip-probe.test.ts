import fc from 'fast-check';
import { concat, map, NEVER, type Observable, of, ReplaySubject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { failure } from '../../src/consensus/failure.ts';
import { createDepth } from '../../src/streams/flow/merge-bounded.ts';
import { type GossipProbeOptions, gossipProbe } from '../../src/streams/gossip-probe.ts';
import type { SubscriptionRpc } from '../../src/streams/ports/peer-link.ts';
import type { GreetedVisit, Observation, VisitOutcome } from '../../src/streams/visit.ts';
import {
  AGENT,
  type FakeLink,
  fakeLink,
  hello,
  inWords,
  type LinkBehaviour,
  META_DATA,
  status,
  topic,
} from '../support/streams/link.ts';
import { type Marbles, marbles } from '../support/streams/marbles.ts';
import { DIGEST, OTHER_DIGEST } from '../support/streams/network.ts';

const SETTLE_MS = 5;
const DWELL_MS = 12;
const TIMEOUT_MS = 20;

function options(
  { scheduler }: Pick<Marbles, 'scheduler'>,
  changed: Partial<GossipProbeOptions> = {},
): GossipProbeOptions {
  return {
    concurrency: 4,
    maxWaiting: 4,
    timeoutMs: TIMEOUT_MS,
    settleMs: SETTLE_MS,
    dwellMs: DWELL_MS,
    scheduler,
    acceptedDigests: () => new Set([DIGEST]),
    ...changed,
  };
}

function greeted(link: FakeLink, fields: Partial<GreetedVisit> = {}): GreetedVisit {
  return {
    peerId: link.peerId,
    lease: 1,
    enr: null,
    link,
    agent: AGENT,
    status: status(),
    metaData: META_DATA,
    missing: [],
    ...fields,
  };
}

/** Nothing was learnt of a peer so far. */
const UNKNOWN: Partial<GreetedVisit> = {
  agent: null,
  status: null,
  metaData: null,
  missing: [failure('identify', 'timeout'), failure('status', 'eof'), failure('metadata', 'eof')],
};

interface Probing {
  readonly link: FakeLink;
  readonly outcome: VisitOutcome<Observation>;
  readonly atMs: number;
}

interface Setting {
  readonly behaviour?: (helpers: Marbles) => Partial<LinkBehaviour>;
  readonly visit?: Partial<GreetedVisit>;
  readonly changed?: Partial<GossipProbeOptions>;
  /** When the probe begins. */
  readonly startMs?: number;
}

/** Probes one peer, and tells how it came out and when. */
function probe({ behaviour = () => ({}), visit = {}, changed = {}, startMs = 0 }: Setting): Probing {
  const probings: Probing[] = [];
  marbles((helpers) => {
    const link = fakeLink(behaviour(helpers));
    helpers.scheduler.schedule(() => {
      of(greeted(link, visit))
        .pipe(gossipProbe(options(helpers, changed)))
        .subscribe((outcome) => probings.push({ link, outcome, atMs: helpers.scheduler.now() }));
    }, startMs);
    helpers.flush();
  });
  expect(probings).toHaveLength(1);
  const [probing] = probings;
  if (probing === undefined) throw new Error('no outcome');
  return probing;
}

/** A connection tells all that was said since it opened, and all that comes. */
function replaying<T>(source: Observable<T>): Observable<T> {
  const replay = new ReplaySubject<T>();
  source.subscribe((value) => replay.next(value));
  return replay;
}

function observed({ outcome }: Probing): Observation {
  if (!outcome.ok) throw new Error(inWords(outcome));
  return outcome.value;
}

describe('gossipProbe', () => {
  it('ends when nothing has changed since the hello for a while', () => {
    const probing = probe({ behaviour: ({ hot }) => ({ subscriptions$: hot('--h', { h: hello(2, [9, 3, 63]) }) }) });
    expect(probing.atMs).toBe(2 + SETTLE_MS);
    expect(observed(probing)).toEqual({
      peerId: 'a',
      lease: 1,
      enr: null,
      agent: AGENT,
      status: status(),
      metaData: META_DATA,
      missing: [],
      problems: [],
      direction: 'outbound',
      transport: 'tcp',
      address: '/ip4/10.0.0.1/tcp/9000',
      subscribedSubnets: [3, 9, 63],
      currentSubnets: [3, 9, 63],
      subscribedSyncnets: [],
      dataColumns: 0,
      observedFromMs: 0,
      observedToMs: 2 + SETTLE_MS,
    });
    expect(probing.link.leavings).toEqual(['visited']);
  });

  it('stays while changes come, but no longer than the dwell time from the hello on', () => {
    const probing = probe({
      behaviour: ({ hot }) => ({
        subscriptions$: hot('--a---b---c---d---e', {
          a: hello(2, [1]),
          b: hello(6, [2]),
          c: hello(10, [3]),
          d: hello(14, [4]),
          e: hello(18, [5]),
        }),
      }),
      changed: { dwellMs: 11 },
    });
    expect(probing.atMs).toBe(2 + 11);
    expect(observed(probing).subscribedSubnets).toEqual([1, 2, 3]);
    expect(observed(probing).observedToMs).toBe(13);
  });

  it('counts the dwell time from the hello although the handshake took longer than that', () => {
    const probing = probe({
      behaviour: ({ hot }) => ({
        subscriptions$: replaying(hot('-a------------------b', { a: hello(1, [1]), b: hello(20, [2]) })),
      }),
      startMs: 18,
    });
    expect(probing.atMs).toBe(18);
    expect(observed(probing)).toMatchObject({ subscribedSubnets: [1], observedFromMs: 0, observedToMs: 18 });
  });

  it('does not unsee what is unsubscribed during the watch', () => {
    const probing = probe({
      behaviour: ({ hot }) => ({ subscriptions$: hot('-a--b', { a: hello(1, [7, 8]), b: hello(4, [7], false) }) }),
    });
    expect(probing.atMs).toBe(4 + SETTLE_MS);
    expect(observed(probing)).toMatchObject({ subscribedSubnets: [7, 8], currentSubnets: [8] });
  });

  describe('around a fork', () => {
    const named = (digest: string, ...subnets: number[]) =>
      subnets.map((subnet) => ({ topic: topic(`beacon_attestation_${subnet}`, digest), subscribe: true }));
    /** Ascending by the epoch from which on they hold. */
    const accepted = () => new Set([OTHER_DIGEST, DIGEST]);
    const look = (
      statusDigest: string | null,
      changes: SubscriptionRpc['changes'],
      left: SubscriptionRpc['changes'] = [],
    ) =>
      observed(
        probe({
          behaviour: ({ hot }) => ({
            subscriptions$: hot('-a--b', { a: { atMs: 1, changes }, b: { atMs: 4, changes: left } }),
          }),
          changed: { acceptedDigests: accepted },
          visit: { status: statusDigest === null ? null : status(statusDigest) },
        }),
      );

    // A real Lodestar stays on topics of the old digest for good, when its duties straddled the fork.
    it.each([
      ['its Status is of the new one', DIGEST, [...named(DIGEST, 1, 2), ...named(OTHER_DIGEST, 1, 2, 8)], [1, 2]],
      [
        'its Status is of the old one',
        OTHER_DIGEST,
        [...named(DIGEST, 1, 2), ...named(OTHER_DIGEST, 1, 2, 8)],
        [1, 2, 8],
      ],
      ['its Status is of a digest it names nothing under', OTHER_DIGEST, named(DIGEST, 1, 2), [1, 2]],
      ['it has told no Status: the newest', null, [...named(OTHER_DIGEST, 1, 8), ...named(DIGEST, 1, 2)], [1, 2]],
    ] as const)('counts the subnets of one digest: %s', (_, statusDigest, changes, subnets) => {
      expect(look(statusDigest, changes)).toMatchObject({ subscribedSubnets: subnets, currentSubnets: subnets });
    });

    it('takes a subnet for left when it is left under that digest', () => {
      const changes = [...named(DIGEST, 7, 9), ...named(OTHER_DIGEST, 7)];
      const left = named(DIGEST, 7).map((change) => ({ ...change, subscribe: false }));
      expect(look(DIGEST, changes, left)).toMatchObject({ subscribedSubnets: [7, 9], currentSubnets: [9] });
    });
  });

  it('tells sync-committee subnets and data columns apart from attestation subnets', () => {
    const names = [
      'beacon_attestation_0',
      'sync_committee_3',
      'sync_committee_0',
      'data_column_sidecar_127',
      'data_column_sidecar_5',
      'data_column_sidecar_5',
      'beacon_block',
    ];
    const rpc: SubscriptionRpc = { atMs: 1, changes: names.map((name) => ({ topic: topic(name), subscribe: true })) };
    const probing = probe({ behaviour: ({ hot }) => ({ subscriptions$: hot('-a', { a: rpc }) }) });
    expect(observed(probing)).toMatchObject({ subscribedSubnets: [0], subscribedSyncnets: [0, 3], dataColumns: 2 });
  });

  it.each([
    topic('beacon_attestation_64'),
    topic('beacon_attestation_99999'),
    topic('beacon_attestation_-1'),
    topic('beacon_attestation_01'),
    topic('beacon_attestation_'),
    topic('beacon_attestation_1e1'),
    topic('beacon_attestation_5', OTHER_DIGEST),
    topic('beacon_attestation_5', DIGEST.toUpperCase()),
    '/eth2/beacon_attestation_5/ssz_snappy',
    `/eth2/${DIGEST}/beacon_attestation_5/ssz`,
    `${topic('beacon_attestation_5')}/`,
    '',
    '\0',
  ])('ignores the topic %j', (text) => {
    const rpc: SubscriptionRpc = { atMs: 1, changes: [{ topic: text, subscribe: true }] };
    const probing = probe({ behaviour: ({ hot }) => ({ subscriptions$: hot('-a', { a: rpc }) }) });
    expect(observed(probing)).toMatchObject({
      subscribedSubnets: [],
      subscribedSyncnets: [],
      dataColumns: 0,
      missing: [],
    });
  });

  it('counts the good topics among any garbage', () => {
    const good = fc.nat(63).map((subnet) => topic(`beacon_attestation_${subnet}`));
    const bad = fc.oneof(
      fc.string(),
      fc.nat().map((n) => topic(`beacon_attestation_${n + 64}`)),
      fc.string().map((name) => topic(name, OTHER_DIGEST)),
    );
    fc.assert(
      fc.property(
        fc.array(fc.record({ topic: fc.oneof(good, bad), subscribe: fc.boolean() }), { maxLength: 40 }),
        (changes) => {
          const probing = probe({
            behaviour: ({ hot }) => ({ subscriptions$: hot('-a', { a: { atMs: 1, changes } }) }),
          });
          const named = changes.flatMap(({ topic: text, subscribe }) =>
            subscribe
              ? (new RegExp(`^/eth2/${DIGEST}/beacon_attestation_([0-9]|[1-5][0-9]|6[0-3])/ssz_snappy$`).exec(
                  text,
                )?.[1] ?? [])
              : [],
          );
          expect(observed(probing).subscribedSubnets).toEqual([...new Set(named.map(Number))].sort((a, b) => a - b));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('takes the digests that are accepted when the subscription comes', () => {
    let asked = 0;
    const probing = probe({
      behaviour: ({ hot }) => ({
        subscriptions$: hot('-a-b', {
          a: hello(1, [1]),
          b: { atMs: 3, changes: [{ topic: topic('beacon_attestation_2', OTHER_DIGEST), subscribe: true }] },
        }),
      }),
      changed: { acceptedDigests: () => new Set(asked++ === 0 ? [DIGEST] : [DIGEST, OTHER_DIGEST]) },
      visit: { status: status(OTHER_DIGEST) },
    });
    expect(observed(probing).subscribedSubnets).toEqual([2]);
  });

  it('passes on what else is known when no hello comes in time', () => {
    const probing = probe({
      behaviour: () => ({ openedMs: -4 }),
      visit: { metaData: null, missing: [failure('metadata', 'reset')] },
    });
    expect(probing.atMs).toBe(TIMEOUT_MS);
    expect(observed(probing)).toMatchObject({
      subscribedSubnets: null,
      subscribedSyncnets: [],
      missing: [failure('metadata', 'reset'), failure('subscriptions', 'timeout')],
      observedFromMs: -4,
      observedToMs: TIMEOUT_MS,
    });
    expect(probing.link.leavings).toEqual(['unheard']);
  });

  it('takes MetaData alone as an observation', () => {
    const probing = probe({ visit: { status: null, missing: [failure('status', 'timeout')] } });
    expect(observed(probing)).toMatchObject({ subscribedSubnets: null, metaData: META_DATA });
  });

  it('takes a hello alone as an observation', () => {
    const probing = probe({
      behaviour: ({ hot }) => ({ subscriptions$: hot('-h', { h: hello(1, [5]) }) }),
      visit: UNKNOWN,
    });
    expect(observed(probing)).toMatchObject({
      subscribedSubnets: [5],
      status: null,
      metaData: null,
      missing: UNKNOWN.missing,
    });
  });

  it('takes an empty hello for what it is: a node on no subnet', () => {
    const probing = probe({
      behaviour: ({ hot }) => ({ subscriptions$: hot('-h', { h: hello(1, []) }) }),
      visit: UNKNOWN,
    });
    expect(observed(probing)).toMatchObject({ subscribedSubnets: [], missing: UNKNOWN.missing });
  });

  it('fails with the first thing that went wrong when nothing at all was learnt', () => {
    const probing = probe({ visit: UNKNOWN });
    expect(probing.outcome).toEqual({ ok: false, value: { peerId: 'a', lease: 1, failure: failure('status', 'eof') } });
    expect(probing.link.leavings).toEqual(['unheard']);
  });

  it('ends when the peer hangs up, and says why nothing was heard', () => {
    const closed = failure('identify', 'too_many_peers', 'goodbye 129');
    const probing = probe({ behaviour: ({ hot }) => ({ closed$: hot('---c', { c: closed }) }) });
    expect(probing.atMs).toBe(3);
    expect(observed(probing).missing).toEqual([failure('subscriptions', 'too_many_peers', 'goodbye 129')]);
  });

  it('keeps what was heard before the peer hung up', () => {
    const probing = probe({
      behaviour: ({ hot }) => ({
        subscriptions$: hot('-h', { h: hello(1, [5]) }),
        closed$: hot('---c', { c: failure('identify', 'eof') }),
      }),
    });
    expect(probing.atMs).toBe(3);
    expect(observed(probing)).toMatchObject({ subscribedSubnets: [5], missing: [], observedToMs: 3 });
  });

  it('still hears what a connection said that is closed already', () => {
    const probing = probe({
      behaviour: () => ({
        subscriptions$: concat(of(hello(2, [5]), hello(3, [6])), NEVER),
        closed$: of(failure('identify', 'eof')),
      }),
      startMs: 4,
    });
    expect(probing.atMs).toBe(4);
    expect(observed(probing)).toMatchObject({ subscribedSubnets: [5, 6], observedFromMs: 0, observedToMs: 4 });
  });

  it('does not wait for a hello that can no longer come', () => {
    const probing = probe({ behaviour: () => ({ closed$: of(failure('identify', 'banned')) }), startMs: 4 });
    expect(probing.atMs).toBe(4);
    expect(observed(probing).missing).toEqual([failure('subscriptions', 'banned')]);
  });

  it('makes a failure of one peer of an error in its subscriptions', () => {
    const probing = probe({ behaviour: ({ hot }) => ({ subscriptions$: hot('-h-#', { h: hello(1, [5]) }) }) });
    expect(probing.atMs).toBe(3);
    expect(probing.outcome).toMatchObject({
      ok: false,
      value: { agent: AGENT, failure: { stage: 'subscriptions', cause: 'unknown' } },
    });
    expect(probing.link.leavings).toEqual(['visited']);
  });

  it('hangs up when unsubscribed in the middle', () => {
    const link = fakeLink();
    marbles((helpers) => {
      const probing$ = helpers.cold('a', { a: greeted(link) }).pipe(gossipProbe(options(helpers)));
      helpers.expectObservable(probing$, '---!').toBe('');
    });
    expect(link.leavings).toEqual(['unheard']);
  });

  it('watches many at a time, turns away what finds every place taken, and hangs up on each once', () => {
    const depth = createDepth();
    const links: Record<string, FakeLink> = {};
    marbles((helpers) => {
      const visits: Record<string, GreetedVisit> = {};
      for (const peerId of ['a', 'b', 'c', 'd']) {
        const link = fakeLink({ peerId, subscriptions$: concat(of(hello(0, [1])), NEVER) });
        links[peerId] = link;
        visits[peerId] = greeted(link);
      }
      const stage = gossipProbe(options(helpers, { concurrency: 2, maxWaiting: 1, depth }));
      helpers.expectObservable(helpers.cold('(abcd)', visits).pipe(stage, map(inWords)), '99ms !').toBe('d----(ab)-c', {
        a: 'a ok',
        b: 'b ok',
        c: 'c ok',
        d: 'd subscriptions resource_limited',
      });
    });
    expect(Object.values(links).map(({ leavings }) => leavings)).toEqual([...Array(3).fill(['visited']), ['given-up']]);
    expect(depth.overflowed).toBe(1);
  });
});
