import { toHex } from '../../../consensus/bits.ts';
import { dayOf } from '../../../consensus/day.ts';
import {
  type MetadataReceivedEvent,
  PEER_DISCOVERED,
  type PeerDiscoveredEvent,
  type ValtrackEvent,
} from '../../../consensus/events.ts';
import { observedSubnets } from '../../../consensus/peer-view.ts';
import type { Table } from './tables.ts';

/** One row on its way to a Parquet file, in the shape the writer takes. */
export interface PartitionedRow {
  readonly table: Table;
  /** `YYYY-MM-DD` of the event's timestamp in UTC. */
  readonly date: string;
  readonly row: object;
}

/** The rows an event becomes: every observation is a metadata row, and one that shows validators is a second row. */
export function rowsOf({ subject, event }: ValtrackEvent): PartitionedRow[] {
  const date = dayOf(event.timestamp);
  if (subject === PEER_DISCOVERED) return [{ table: 'discovery_events', date, row: discoveryRow(event) }];
  const rows: PartitionedRow[] = [{ table: 'metadata_events', date, row: metadataRow(event) }];
  const row = validatorRow(event);
  if (row !== null) rows.push({ table: 'validator_metadata_events', date, row });
  return rows;
}

function discoveryRow(event: PeerDiscoveredEvent): object {
  const { enr, id, ip, port } = event;
  return { enr, id, ip, port, ...crawlerColumns(event), ...optionalColumns(event) };
}

function metadataRow(event: MetadataReceivedEvent): object {
  const { metadata } = event;
  return {
    ...firstColumns(event),
    metadata: metadata && {
      seq_number: toInt64(metadata.seq_number),
      attnets: toHex(metadata.attnets),
      syncnets: toHex(metadata.syncnets),
    },
    subscribed_subnets: list(event.subscribed_subnets),
    client_version: event.client_version,
    ...crawlerColumns(event),
    ...optionalColumns(event),
    ...observationColumns(event),
  };
}

function validatorRow(event: MetadataReceivedEvent): object | null {
  const { metadata } = event;
  const subnets = observedSubnets(event);
  if (metadata === null || subnets === null || subnets.shortLived.length === 0) return null;
  return {
    ...firstColumns(event),
    seq_number: toInt64(metadata.seq_number),
    attnets: toHex(metadata.attnets),
    syncnets: toHex(metadata.syncnets),
    long_lived_subnets: list(subnets.longLived),
    subscribed_subnets: list(event.subscribed_subnets),
    client_version: event.client_version,
    ...crawlerColumns(event),
    ...optionalColumns(event),
    ...observationColumns(event),
  };
}

function firstColumns({ enr, id, multiaddr, epoch }: MetadataReceivedEvent) {
  return { enr, id, multiaddr, epoch: toInt32(epoch) };
}

function crawlerColumns({ crawler_id, crawler_location, timestamp }: PeerDiscoveredEvent | MetadataReceivedEvent) {
  return { crawler_id, crawler_location, timestamp };
}

function optionalColumns(event: PeerDiscoveredEvent | MetadataReceivedEvent) {
  const { event_id, slot, observed_from, observed_to, fork_digest, custody_group_count, direction, transport } = event;
  return { event_id, slot, observed_from, observed_to, fork_digest, custody_group_count, direction, transport };
}

function observationColumns(event: MetadataReceivedEvent) {
  const { subscribed_syncnets, data_column_topics, current_subnets, missing } = event;
  return {
    subscribed_syncnets: subscribed_syncnets && list(subscribed_syncnets),
    data_column_topics,
    current_subnets: current_subnets && list(current_subnets),
    missing: missing && list(missing),
  };
}

function list<T>(values: readonly T[]) {
  return { list: values.map((element) => ({ element })) };
}

/** Peers claim any epoch they like; the column holds 32 bits. */
function toInt32(value: number): number {
  return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, value));
}

/** Sequence numbers are 64 bits on the wire; what a number cannot hold exactly is capped. */
function toInt64(value: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.trunc(value));
}
