import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MetadataReceivedEvent } from '../../src/consensus/events.ts';
import { parsePeerAddress } from '../../src/consensus/peer-address.ts';
import { observe, type PeerView } from '../../src/consensus/peer-view.ts';
import { observation } from '../support/events.ts';

function viewOf(events: readonly MetadataReceivedEvent[]): PeerView {
  return events.reduce<PeerView | undefined>((view, event) => observe(view, event, null), undefined) as PeerView;
}

const ALL_SUBNETS = Array.from({ length: 64 }, (_, subnet) => subnet);
const attnets = (...bytes: number[]) => Uint8Array.from({ length: 8 }, (_, index) => bytes[index] ?? 0);

const anyEvent = fc.record({
  enr: fc.constantFrom('', 'enr:', 'enr:-a', 'enr:-b'),
  multiaddr: fc.constantFrom('', '/ip4/1.1.1.1/tcp/1', '/ip4/2.2.2.2/udp/2/quic-v1', '/dns4/x/tcp/3'),
  epoch: fc.integer(),
  client_version: fc.constantFrom('', 'unknown', 'Teku', 'Prysm'),
  // Few distinct times, so that ties are common.
  timestamp: fc.integer({ min: 0, max: 5 }),
  subscribed_subnets: fc.array(fc.integer({ min: 0, max: 63 })),
  metadata: fc.option(
    fc.record({
      seq_number: fc.nat(),
      attnets: fc.uint8Array({ minLength: 8, maxLength: 8 }),
      syncnets: fc.uint8Array({ minLength: 1, maxLength: 1 }),
    }),
  ),
  custody_group_count: fc.option(fc.nat()),
  direction: fc.constantFrom('inbound' as const, 'outbound' as const, null, undefined),
});

describe('observe', () => {
  it('gives the same view whatever the order of the events', () => {
    const shuffled = fc
      .array(anyEvent, { minLength: 1, maxLength: 12 })
      .map((events) => events.map((fields, index) => observation({ ...fields, event_id: `run:${index}` })))
      .chain((events) => fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length })));
    fc.assert(
      fc.property(shuffled, ([events, others]) => {
        expect(viewOf(others)).toEqual(viewOf(events));
      }),
    );
  });

  it('counts every observation and keeps the first and the last time', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1 }), (times) => {
        const view = viewOf(times.map((timestamp, index) => observation({ timestamp, event_id: `run:${index}` })));
        expect(view.published.numObservations).toBe(times.length);
        expect(view.firstSeenMs).toBe(Math.min(...times));
        expect(view.lastSeenMs).toBe(Math.max(...times));
      }),
    );
  });

  it('takes each fact from the newest observation that states it', () => {
    const view = viewOf([
      observation({ event_id: 'b', timestamp: 20, enr: 'enr:-new', client_version: 'Teku/2', epoch: 2 }),
      observation({ event_id: 'a', timestamp: 10, enr: 'enr:-old', client_version: 'Teku/1', epoch: 1 }),
      observation({ event_id: 'c', timestamp: 30, enr: 'enr:', client_version: 'unknown', epoch: 3, multiaddr: '' }),
    ]);
    expect(view.facts.enr?.value).toBe('enr:-new');
    expect(view.facts.clientVersion?.value).toBe('Teku/2');
    expect(view.facts.address?.value).toEqual({ multiaddr: '/ip4/1.2.3.4/tcp/9000', ip: '1.2.3.4', port: 9000 });
    expect(view.facts.epoch?.value).toBe(3);
  });
});

describe('the published estimate', () => {
  // The short-lived subnets are counted by hand: bits 11 and 12 are long-lived.
  it.each([
    ['none but the long-lived ones', [11, 12], 0],
    ['subnet 0, which the Go program misses', [0, 11, 12], 1],
    ['subnet 63', [63], 1],
    ['repeated ids', [7, 7, 9, 7], 2],
    ['every subnet', ALL_SUBNETS, 62],
  ])('of %s', (_, subscribed_subnets, expected) => {
    const { published } = observe(undefined, observation({ subscribed_subnets }), null);
    expect(published).toEqual({
      maxValidatorCount: expected,
      possibleValidator: expected > 0,
      numObservations: 1,
    });
  });

  it('is the richest observation, and stays when later ones show nothing', () => {
    const { published } = viewOf([
      observation({ event_id: 'a', subscribed_subnets: [1, 2, 3] }),
      observation({ event_id: 'b', subscribed_subnets: [4] }),
      observation({ event_id: 'c', subscribed_subnets: [] }),
    ]);
    expect(published).toEqual({ maxValidatorCount: 3, possibleValidator: true, numObservations: 3 });
  });

  it('counts an observation without metadata, and reads no validators into it', () => {
    const view = viewOf([observation({ metadata: null, subscribed_subnets: [1, 2, 3] })]);
    expect(view.published).toEqual({ maxValidatorCount: 0, possibleValidator: false, numObservations: 1 });
    expect(view.facts.subnets).toBeNull();
  });

  it('counts all subscriptions of a node that advertises no long-lived subnet', () => {
    const metadata = { seq_number: 0, attnets: attnets(), syncnets: Uint8Array.of(0) };
    const view = observe(undefined, observation({ metadata, subscribed_subnets: [5, 6] }), null);
    expect(view.published.maxValidatorCount).toBe(2);
  });
});

describe('the address of a peer', () => {
  const at = (multiaddr: string, timestamp: number) =>
    observation({ multiaddr, timestamp, event_id: `a:${timestamp}` });
  const addressAfter = (...events: ReturnType<typeof at>[]) =>
    events.reduce<ReturnType<typeof observe> | undefined>((view, event) => observe(view, event, null), undefined)?.facts
      .address?.value;

  it('is where it dialled from as long as nobody knows where it listens, with port 0', () => {
    expect(addressAfter(at('/ip4/1.2.3.4/tcp/0', 1))).toEqual({
      multiaddr: '/ip4/1.2.3.4/tcp/0',
      ip: '1.2.3.4',
      port: 0,
    });
  });

  it('does not depend on the order of the observations', () => {
    const events = [
      at('/ip4/1.1.1.1/tcp/9000', 1),
      at('/ip4/2.2.2.2/tcp/0', 2),
      at('/ip4/3.3.3.3/tcp/9000', 3),
      at('/ip4/4.4.4.4/tcp/0', 4),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(events, { minLength: events.length }), (order) => {
        expect(addressAfter(...order)?.ip).toBe('3.3.3.3');
      }),
    );
    expect(addressAfter(...events.filter((_, index) => index % 2 === 1))?.ip).toBe('4.4.4.4');
  });
});

describe('parsePeerAddress', () => {
  it.each([
    ['/ip4/1.2.3.4/tcp/9000', { ip: '1.2.3.4', port: 9000 }],
    ['/ip4/1.2.3.4/udp/9001/quic-v1', { ip: '1.2.3.4', port: 9001 }],
    ['/ip6/2001:db8::1/tcp/13000/p2p/16Uiu2', { ip: '2001:db8::1', port: 13000 }],
  ])('reads %s', (multiaddr, expected) => {
    expect(parsePeerAddress(multiaddr)).toEqual({ multiaddr, ...expected });
  });

  it.each([
    '',
    '/',
    '/dns4/a.example/tcp/1',
    '/ip4/1.2.3/tcp/1',
    '/ip4/::1/tcp/1',
    '/ip6/1.2.3.4/tcp/1',
    '/ip4/1.2.3.4',
    '/ip4/1.2.3.4/tcp/0',
    '/ip4/1.2.3.4/tcp/65536',
    '/ip4/1.2.3.4/sctp/9',
  ])('refuses %j', (multiaddr) => {
    expect(parsePeerAddress(multiaddr)).toBeNull();
  });

  it('answers to any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => parsePeerAddress(text)).not.toThrow();
      }),
    );
  });
});
