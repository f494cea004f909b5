import { describe, expect, it } from 'vitest';
import { BOOTNODES } from '../../src/consensus/bootnodes.ts';
import { failure } from '../../src/consensus/failure.ts';
import { discoveredEntry, observedEntry } from '../../src/streams/events-of.ts';
import type { LogEntry } from '../../src/streams/ports/event-log.ts';
import type { Observation } from '../../src/streams/visit.ts';
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
      metadata: null,
      subscribed_subnets: [],
      client_version: '',
      missing: ['status', 'metadata', 'subscriptions'],
    });
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
