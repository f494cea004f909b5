import { describe, expect, it } from 'vitest';
import { BOOTNODES } from '../../src/consensus/bootnodes.ts';
import { failure } from '../../src/consensus/failure.ts';
import { discoveredEntry, observedEntry } from '../../src/streams/events-of.ts';
import type { LogEntry } from '../../src/streams/ports/event-log.ts';
import type { Observation } from '../../src/streams/visit.ts';
import { enrWith } from '../support/consensus/raw-enr.ts';
import { AGENT, META_DATA, status } from '../support/streams/link.ts';
import { CLOCK, DIGEST, nodeRecord } from '../support/streams/network.ts';

const source = { clock: CLOCK, crawlerId: 'crawler', crawlerLocation: 'here', nextEventId: () => 'run:7' };

const observation: Observation = {
  peerId: 'a',
  lease: 5,
  enr: null,
  agent: AGENT,
  status: status(),
  metaData: META_DATA,
  missing: [],
  problems: [],
  direction: 'outbound',
  transport: 'tcp',
  address: '/ip4/10.0.0.1/tcp/9000',
  subscribedSubnets: [3, 9],
  currentSubnets: [3],
  subscribedSyncnets: [1],
  dataColumns: 8,
  // In the last slot of epoch 2; it ends in epoch 3.
  observedFromMs: 95_900,
  observedToMs: 96_200,
};

/** The event as it is on the wire. */
function wire({ payload }: LogEntry): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>;
}

describe('observedEntry', () => {
  it('writes what was observed, under the epoch and slot in which the observation began', () => {
    const entry = observedEntry(observation, source);
    expect([entry.subject, entry.eventId]).toEqual(['events.metadata_received', 'run:7']);
    expect(wire(entry)).toEqual({
      enr: 'enr:',
      id: 'a',
      multiaddr: '/ip4/10.0.0.1/tcp/9000',
      epoch: 2,
      metadata: { seq_number: 7, attnets: 'AwAAAAAAAAA=', syncnets: 'AA==' },
      subscribed_subnets: [3, 9],
      client_version: AGENT,
      crawler_id: 'crawler',
      crawler_location: 'here',
      timestamp: 96_200,
      event_id: 'run:7',
      slot: 95,
      observed_from: 95_900,
      observed_to: 96_200,
      fork_digest: DIGEST,
      custody_group_count: 4,
      direction: 'outbound',
      transport: 'tcp',
      subscribed_syncnets: [1],
      data_column_topics: 8,
      current_subnets: [3],
      missing: [],
    });
  });

  it('says what is missing, and takes from the record what the peer did not tell', () => {
    const entry = observedEntry(
      {
        ...observation,
        enr: BOOTNODES.mainnet[0] ?? '',
        agent: null,
        status: null,
        metaData: null,
        subscribedSubnets: null,
        currentSubnets: null,
        missing: [failure('status', 'timeout'), failure('metadata', 'eof'), failure('subscriptions', 'timeout')],
      },
      source,
    );
    expect(wire(entry)).toMatchObject({
      enr: BOOTNODES.mainnet[0],
      // The Go consumer dies of an event without metadata.
      metadata: { seq_number: 0, attnets: 'AAAAAAAAAAA=', syncnets: 'AA==' },
      subscribed_subnets: [],
      client_version: '',
      missing: ['status', 'metadata', 'subscriptions'],
    });
  });

  it.each([
    ['of the same host that its record tells', '/ip4/203.0.113.7/udp/9001/quic-v1', '/ip4/203.0.113.7/tcp/9000'],
    ['only, of another host none', '/ip4/203.0.113.8/udp/9001/quic-v1', '/ip4/203.0.113.8/udp/9001/quic-v1'],
    ['of the same family', '/ip6/2001:db8::7/udp/9001/quic-v1', '/ip6/2001:db8::7/tcp/9006'],
  ])('names a TCP address for a peer met over QUIC, %s', (_, address, multiaddr) => {
    const port = (number: number) => Uint8Array.of(number >> 8, number & 255);
    const enr = enrWith({
      ip: Uint8Array.of(203, 0, 113, 7),
      ip6: Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7),
      quic: port(9_001),
      tcp: port(9_000),
      tcp6: port(9_006),
    });
    const met = { ...observation, enr, address, transport: 'quic' } as const;
    expect(wire(observedEntry(met, source))).toMatchObject({ multiaddr, transport: 'quic' });
  });
});

describe('discoveredEntry', () => {
  it('names the TCP address, the only one that the Go program knows', () => {
    const record = nodeRecord('a', {
      addresses: [
        { transport: 'quic', family: 4, ip: '10.0.0.2', port: 9_001 },
        { transport: 'tcp', family: 4, ip: '10.0.0.3', port: 9_002 },
      ],
    });
    const entry = discoveredEntry(record, 33_000, source);
    expect([entry.subject, entry.eventId]).toEqual(['events.peer_discovered', 'run:7']);
    expect(wire(entry)).toMatchObject({
      enr: 'enr:a',
      id: 'a',
      ip: '10.0.0.3',
      port: 9_002,
      timestamp: 33_000,
      slot: 33,
    });
  });

  it('leaves the address empty when there is none', () => {
    expect(wire(discoveredEntry(nodeRecord('a', { addresses: [] }), 0, source))).toMatchObject({ ip: '', port: 0 });
  });
});
