import type { MetaDataVersion, StatusVersion } from '../../../consensus/containers.ts';

/** Protocol ids of the request/response domain (phase0, altair and fulu p2p-interface.md). */

const protocol = (name: string, version: number) => `/eth2/beacon_chain/req/${name}/${version}/ssz_snappy`;

export const STATUS_PROTOCOLS: ReadonlyMap<string, StatusVersion> = new Map([
  [protocol('status', 2), 2],
  [protocol('status', 1), 1],
]);

export const METADATA_PROTOCOLS: ReadonlyMap<string, MetaDataVersion> = new Map([
  [protocol('metadata', 3), 3],
  [protocol('metadata', 2), 2],
  [protocol('metadata', 1), 1],
]);

export const PING_PROTOCOL = protocol('ping', 1);
export const GOODBYE_PROTOCOL = protocol('goodbye', 1);

/**
 * What peers ask of a beacon node that has blocks, up to Gloas. We have none; but not to speak a protocol is held against us
 * by some, whatever identify says of it.
 */
export const SYNC_PROTOCOLS: readonly string[] = [
  protocol('beacon_blocks_by_range', 2),
  protocol('beacon_blocks_by_root', 2),
  protocol('beacon_blocks_by_head', 1),
  protocol('blob_sidecars_by_range', 1),
  protocol('blob_sidecars_by_root', 1),
  protocol('data_column_sidecars_by_range', 1),
  protocol('data_column_sidecars_by_root', 1),
  protocol('execution_payload_envelopes_by_range', 1),
  protocol('execution_payload_envelopes_by_root', 1),
  protocol('light_client_bootstrap', 1),
  protocol('light_client_updates_by_range', 1),
  protocol('light_client_finality_update', 1),
  protocol('light_client_optimistic_update', 1),
];
