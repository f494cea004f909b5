import { concat, NEVER, of, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { decodeEvent, METADATA_RECEIVED } from '../../src/consensus/events.ts';
import { failed, failure, success } from '../../src/consensus/failure.ts';
import { gossipProbe } from '../../src/streams/gossip-probe.ts';
import type { SubscriptionRpc } from '../../src/streams/ports/peer-link.ts';
import type { GreetedVisit, Observation } from '../../src/streams/visit.ts';
import { AGENT, type FakeLink, fakeLink, hello, META_DATA, status, topic } from '../support/streams/link.ts';
import { marbles } from '../support/streams/marbles.ts';
import { DIGEST, OTHER_DIGEST } from '../support/streams/network.ts';
import { knownPeer, startPipeline } from '../support/streams/pipeline.ts';

const subscribed = (...topics: string[]): SubscriptionRpc => ({
  atMs: 0,
  changes: topics.map((name) => ({ topic: name, subscribe: true })),
});

function probed(link: FakeLink, fields: Partial<GreetedVisit> = {}): Observation {
  const observations: Observation[] = [];
  marbles((helpers) => {
    const visit = { peerId: 'a', lease: 1, enr: null, link, agent: AGENT, status: status(), metaData: META_DATA };
    of({ ...visit, missing: [], ...fields })
      .pipe(
        gossipProbe({
          concurrency: 1,
          maxWaiting: 0,
          timeoutMs: 20,
          settleMs: 5,
          dwellMs: 12,
          scheduler: helpers.scheduler,
          acceptedDigests: () => new Set([DIGEST]),
        }),
      )
      .subscribe((outcome) => {
        if (outcome.ok) observations.push(outcome.value);
      });
    helpers.flush();
  });
  expect(observations).toHaveLength(1);
  return observations[0] as Observation;
}

const saying = (...rpcs: SubscriptionRpc[]) => probed(fakeLink({ subscriptions$: concat(of(...rpcs), NEVER) }));
const problemsIn = ({ problems }: Observation) => problems.map(({ stage, cause }) => `${stage} ${cause}`);

describe('what a peer says of its topics', () => {
  it.each([
    ['a subnet that cannot be', topic('beacon_attestation_64')],
    ['a subnet with a leading zero', topic('beacon_attestation_07')],
    ['a negative one', topic('beacon_attestation_-1')],
    ['a sync subnet that cannot be', topic('sync_committee_4')],
    ['a column that cannot be', topic('data_column_sidecar_128')],
    ['another encoding', `/eth2/${DIGEST}/beacon_attestation_1/ssz`],
    ['a digest that is none', '/eth2/DEADBEEF/beacon_attestation_1/ssz_snappy'],
  ])('is odd when it names %s; the rest counts all the same', (_, odd) => {
    const observation = saying(subscribed(topic('beacon_attestation_3'), odd, topic('beacon_attestation_9')));
    expect(observation.subscribedSubnets).toEqual([3, 9]);
    expect(observation.problems).toEqual([failure('subscriptions', 'bad_response', `topic ${odd}`)]);
  });

  it('is told of without what a terminal would obey, and cut', () => {
    const odd = `beacon_attestation_\u001b[2J\n${'x'.repeat(200)}`;
    const [problem] = saying(subscribed(odd)).problems;
    expect(problem?.detail).toBe(`topic ${`beacon_attestation_?[2J?${'x'.repeat(200)}`.slice(0, 80)}`);
  });

  it('is odd when its subnets are under a digest that nobody carries, and under that alone', () => {
    const foreign = topic('beacon_attestation_1', OTHER_DIGEST);
    expect(saying(subscribed(foreign)).problems).toEqual([
      failure('subscriptions', 'wrong_fork', `subnets under digest ${OTHER_DIGEST} only`),
    ]);
    // Around a fork a node is subscribed under both.
    expect(saying(subscribed(foreign, topic('beacon_attestation_1'))).problems).toEqual([]);
  });

  it('is odd when it is too much, and the number is told', () => {
    const observation = saying({ ...hello(0, [1]), dropped: 7 }, { ...hello(0, [2]), dropped: 5 });
    expect(observation.problems).toEqual([failure('subscriptions', 'resource_limited', '12 topics too many')]);
    expect(observation.subscribedSubnets).toEqual([1, 2]);
  });

  it('can be odd in every way at once', () => {
    const observation = saying({
      ...subscribed(topic('beacon_attestation_64'), topic('beacon_attestation_1', OTHER_DIGEST)),
      dropped: 1,
    });
    expect(problemsIn(observation)).toEqual([
      'subscriptions bad_response',
      'subscriptions wrong_fork',
      'subscriptions resource_limited',
    ]);
  });

  it.each([
    topic('beacon_block'),
    topic('beacon_aggregate_and_proof'),
    topic('voluntary_exit'),
    topic('sync_committee_contribution_and_proof'),
    topic('light_client_optimistic_update'),
    topic('blob_sidecar_0'),
    topic('beacon_block', OTHER_DIGEST),
    topic('data_column_sidecar_3', OTHER_DIGEST),
    '/another/network/altogether',
    '',
  ])('is no problem when it is %s', (honest) => {
    expect(saying(subscribed(honest, topic('beacon_attestation_3'))).problems).toEqual([]);
  });

  it('is not odd when it is an end of a subscription', () => {
    const leaving = { atMs: 0, changes: [{ topic: topic('beacon_attestation_99'), subscribe: false }] };
    expect(saying(leaving, hello(0, [1])).problems).toEqual([]);
  });
});

describe('where a peer was observed', () => {
  const inbound = (address: string, listenAddress: string | null) =>
    probed({ ...fakeLink({ direction: 'inbound', subscriptions$: of(hello(0, [1])) }), address }, { listenAddress })
      .address;

  it.each([
    ['/ip4/8.8.4.4/tcp/50123', '/ip4/8.8.4.4/tcp/0'],
    ['/ip4/8.8.4.4/udp/50123/quic-v1', '/ip4/8.8.4.4/udp/0/quic-v1'],
    ['/ip6/2606:4700::1/tcp/50123', '/ip6/2606:4700::1/tcp/0'],
  ])('that dialled us from %s and listens nowhere is %s', (address, expected) => {
    expect(inbound(address, null)).toBe(expected);
  });

  it('that dialled us is where it listens', () => {
    expect(inbound('/ip4/8.8.4.4/tcp/50123', '/ip4/8.8.4.4/tcp/9000')).toBe('/ip4/8.8.4.4/tcp/9000');
  });

  it('that we dialled is where we found it', () => {
    expect(probed(fakeLink({ subscriptions$: of(hello(0, [1])) })).address).toBe('/ip4/10.0.0.1/tcp/9000');
  });
});

describe('the sentry', () => {
  it('counts what was odd or missing by client, and only visits in vain as failed', () => {
    const scheduler = new VirtualTimeScheduler();
    const oddHello = subscribed(topic('beacon_attestation_64'), topic('beacon_attestation_1'));
    const pipeline = startPipeline({
      scheduler,
      restored: ['odd', 'partial', 'gone'].map((name) => knownPeer(name)),
      dialed: (peerId) => {
        if (peerId === 'gone') return of(failed('dial', 'refused'));
        const subscriptions$ = concat(of(oddHello), NEVER);
        const metaData$ = of(failed<typeof META_DATA>('metadata', 'protocol_unsupported'));
        return of(success(fakeLink({ peerId, subscriptions$, ...(peerId === 'partial' ? { metaData$ } : {}) })));
      },
    });
    pipeline.runTo(1_000);
    const { failures, failed: failedVisits, observed } = pipeline.sentry.stats();
    expect({ failedVisits, observed }).toEqual({ failedVisits: 1, observed: 2 });
    expect(failures.map(({ stage, cause, client, count }) => [stage, cause, client, count].join(' ')).sort()).toEqual([
      'dial refused unknown 1',
      'metadata protocol_unsupported Lighthouse 1',
      'subscriptions bad_response Lighthouse 2',
    ]);
    expect(pipeline.failed()).toEqual(['gone dial refused']);
  });

  it('writes where an inbound peer is without a port that means nothing', () => {
    const scheduler = new VirtualTimeScheduler();
    const pipeline = startPipeline({ scheduler });
    pipeline.runTo(1);
    pipeline.inbound$.next({
      ...fakeLink({ peerId: 'b', direction: 'inbound', openedMs: 1, subscriptions$: of(hello(1, [1])) }),
      address: '/ip4/8.8.4.4/tcp/50123',
    });
    pipeline.runTo(3_000);
    const entry = pipeline.appended.flat().find(({ subject }) => subject === METADATA_RECEIVED);
    if (entry === undefined) throw new Error('not observed');
    expect(decodeEvent(entry.subject, entry.payload)).toMatchObject({
      ok: true,
      value: { event: { id: 'b', multiaddr: '/ip4/8.8.4.4/tcp/0', direction: 'inbound', enr: 'enr:' } },
    });
  });
});
