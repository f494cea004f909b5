/** Gossip topics (phase0/p2p-interface.md, "Topics and messages"). */

/** In these every node is, whatever its duties are. */
export const GLOBAL_TOPIC_NAMES = ['beacon_block', 'beacon_aggregate_and_proof'] as const;

export function attestationTopicName(subnet: number): string {
  return `beacon_attestation_${subnet}`;
}

export function syncCommitteeTopicName(subnet: number): string {
  return `sync_committee_${subnet}`;
}

/** A custody group is one column, and a column is one subnet. */
export function dataColumnTopicName(custodyGroup: number): string {
  return `data_column_sidecar_${custodyGroup}`;
}

export function topic(digest: string, name: string): string {
  return `/eth2/${digest}/${name}/ssz_snappy`;
}
