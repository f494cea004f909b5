import { ipOfMultiaddr } from '../consensus/address-policy.ts';
import type { NetworkClock } from '../consensus/clock.ts';
import {
  encodeEvent,
  METADATA_RECEIVED,
  type MetadataReceivedEvent,
  PEER_DISCOVERED,
  type PeerDiscoveredEvent,
} from '../consensus/events.ts';
import { decodeNodeRecord, multiaddrText, type NodeRecord } from '../consensus/node-record.ts';
import type { LogEntry } from './ports/event-log.ts';
import type { Observation } from './visit.ts';

/** Who observed, and how events are numbered. */
export interface EventSource {
  readonly clock: NetworkClock;
  readonly crawlerId: string;
  readonly crawlerLocation: string;
  readonly nextEventId: () => string;
}

/** What the Go program writes for a peer whose record is not known. */
const NO_ENR = 'enr:';

/** The event that announces a new peer or a newer record. */
export function discoveredEntry(record: NodeRecord, nowMs: number, source: EventSource): LogEntry {
  const address = record.addresses.find(({ transport }) => transport === 'tcp') ?? record.addresses[0];
  const event: PeerDiscoveredEvent = {
    enr: record.enr,
    id: record.peerId,
    ip: address?.ip ?? '',
    port: address?.port ?? 0,
    crawler_id: source.crawlerId,
    crawler_location: source.crawlerLocation,
    timestamp: nowMs,
    event_id: source.nextEventId(),
    slot: source.clock.slotAt(nowMs),
    fork_digest: record.eth2?.forkDigest ?? null,
    custody_group_count: record.custodyGroupCount,
  };
  return entry(PEER_DISCOVERED, event.event_id ?? '', encodeEvent({ subject: PEER_DISCOVERED, event }));
}

/** The event that reports one observation. Epoch and slot are those of the moment the subscriptions were first seen. */
export function observedEntry(observation: Observation, source: EventSource): LogEntry {
  const { metaData, status, enr } = observation;
  const record = enr === null ? null : decodeNodeRecord(enr);
  const fromEnr = record?.ok ? record.value : null;
  const event: MetadataReceivedEvent = {
    enr: enr ?? NO_ENR,
    id: observation.peerId,
    multiaddr: storableAddress(observation, fromEnr),
    epoch: source.clock.epochAt(observation.observedFromMs),
    metadata: metaData && { seq_number: metaData.seqNumber, attnets: metaData.attnets, syncnets: metaData.syncnets },
    subscribed_subnets: [...(observation.subscribedSubnets ?? [])],
    client_version: observation.agent ?? '',
    crawler_id: source.crawlerId,
    crawler_location: source.crawlerLocation,
    timestamp: observation.observedToMs,
    event_id: source.nextEventId(),
    slot: source.clock.slotAt(observation.observedFromMs),
    observed_from: observation.observedFromMs,
    observed_to: observation.observedToMs,
    fork_digest: status?.forkDigest ?? fromEnr?.eth2?.forkDigest ?? null,
    custody_group_count: metaData?.custodyGroupCount ?? fromEnr?.custodyGroupCount ?? null,
    direction: observation.direction,
    transport: observation.transport,
    subscribed_syncnets: [...observation.subscribedSyncnets],
    data_column_topics: observation.dataColumns,
    ...(observation.currentSubnets === null ? {} : { current_subnets: [...observation.currentSubnets] }),
    missing: observation.missing.map(({ stage }) => stage),
  };
  return entry(METADATA_RECEIVED, event.event_id ?? '', encodeEvent({ subject: METADATA_RECEIVED, event }));
}

/**
 * The Go program stores TCP addresses only: of a peer that was met over QUIC, where its record says that it listens on the same
 * host. `transport` says what was used.
 */
function storableAddress({ address, transport }: Observation, record: NodeRecord | null): string {
  if (transport === 'tcp') return address;
  const host = ipOfMultiaddr(address);
  const tcp = record?.addresses.find((told) => told.transport === 'tcp' && told.ip === host);
  return tcp === undefined ? address : multiaddrText(tcp);
}

function entry(subject: string, eventId: string, payload: Uint8Array): LogEntry {
  return { subject, eventId, payload };
}
