import { METADATA_RECEIVED, type MetadataReceivedEvent, PEER_DISCOVERED } from '../../src/consensus/events.ts';
import type { Delivery, LogEntry } from '../../src/streams/ports/event-log.ts';

/** An observation as the Go program would publish it; what is given replaces what is here. */
export function wireObservation(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    enr: 'enr:-x',
    id: '16Uiu2HAmA',
    multiaddr: '/ip4/1.2.3.4/tcp/9000',
    epoch: 286684,
    metadata: { seq_number: 82, attnets: 'ABgAAAAAAAA=', syncnets: 'AA==' },
    subscribed_subnets: [63, 11, 12],
    client_version: 'Prysm/v5',
    crawler_id: 'crawler',
    crawler_location: 'here',
    timestamp: 1716910737176,
    ...fields,
  };
}

export function wireDiscovery(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    enr: 'enr:-x',
    id: '16Uiu2HAmA',
    ip: '1.2.3.4',
    port: 9000,
    crawler_id: 'crawler',
    crawler_location: 'here',
    timestamp: 1716910737176,
    ...fields,
  };
}

/** An observation after reading: attnets 11 and 12, subscribed to 63, 11 and 12. */
export function observation(fields: Partial<MetadataReceivedEvent> = {}): MetadataReceivedEvent {
  return {
    enr: 'enr:-x',
    id: '16Uiu2HAmA',
    multiaddr: '/ip4/1.2.3.4/tcp/9000',
    epoch: 286684,
    metadata: {
      seq_number: 82,
      attnets: Uint8Array.of(0, 0b0001_1000, 0, 0, 0, 0, 0, 0),
      syncnets: Uint8Array.of(0),
    },
    subscribed_subnets: [63, 11, 12],
    client_version: 'Prysm/v5',
    crawler_id: 'crawler',
    crawler_location: 'here',
    timestamp: 1716910737176,
    ...fields,
  };
}

export function entry(eventId: string, wire: Record<string, unknown>): LogEntry {
  const subject = 'multiaddr' in wire ? METADATA_RECEIVED : PEER_DISCOVERED;
  return { subject, eventId, payload: new TextEncoder().encode(JSON.stringify(wire)) };
}

/** A delivery whose acknowledgement calls `onAck`. */
export function delivery(position: number, from: LogEntry, onAck: () => void = () => {}): Delivery {
  return { ...from, position, ack: onAck };
}
