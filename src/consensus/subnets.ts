/** Attestation and sync-committee subnets, and the gossip topics that carry them. */

/** phase0/p2p-interface.md, ATTESTATION_SUBNET_COUNT. */
export const ATTESTATION_SUBNET_COUNT = 64;
/** altair/p2p-interface.md, SYNC_COMMITTEE_SUBNET_COUNT. */
export const SYNC_SUBNET_COUNT = 4;
/** fulu/p2p-interface.md, DATA_COLUMN_SIDECAR_SUBNET_COUNT. */
export const DATA_COLUMN_SUBNET_COUNT = 128;

export type Topic =
  | { readonly kind: 'attestation'; readonly digest: string; readonly subnet: number }
  | { readonly kind: 'sync'; readonly digest: string; readonly subnet: number }
  | { readonly kind: 'data-column'; readonly digest: string; readonly subnet: number }
  | { readonly kind: 'other'; readonly digest: string };

const TOPIC = /^\/eth2\/([0-9a-f]{8})\/([a-z0-9_]{1,64})\/ssz_snappy$/;
const NUMBERED = /^(beacon_attestation|sync_committee|data_column_sidecar)_(0|[1-9]\d{0,3})$/;

const NUMBERED_TOPICS = {
  beacon_attestation: { kind: 'attestation', count: ATTESTATION_SUBNET_COUNT },
  sync_committee: { kind: 'sync', count: SYNC_SUBNET_COUNT },
  data_column_sidecar: { kind: 'data-column', count: DATA_COLUMN_SUBNET_COUNT },
} as const;

/**
 * Reads a gossip topic such as `/eth2/8c9f62fe/beacon_attestation_7/ssz_snappy` (phase0/p2p-interface.md, "Topics
 * and messages"). Total: whatever a stranger sends gives a topic or `null`; a subnet outside its range is `null`.
 */
export function parseTopic(text: string): Topic | null {
  const match = TOPIC.exec(text);
  const digest = match?.[1];
  const name = match?.[2];
  if (digest === undefined || name === undefined) return null;
  const numbered = NUMBERED.exec(name);
  if (numbered === null)
    return /^(beacon_attestation|data_column_sidecar)/.test(name) ? null : { kind: 'other', digest };
  const { kind, count } = NUMBERED_TOPICS[numbered[1] as keyof typeof NUMBERED_TOPICS];
  const subnet = Number(numbered[2]);
  return subnet < count ? { kind, digest, subnet } : null;
}

/** Every topic of one fork that tells something about a node: attestation, sync-committee and data-column subnets. */
export function subnetTopics(digest: string): string[] {
  return Object.entries(NUMBERED_TOPICS).flatMap(([name, { count }]) =>
    Array.from({ length: count }, (_, subnet) => `/eth2/${digest}/${name}_${subnet}/ssz_snappy`),
  );
}

/**
 * Distinct subnets a node was subscribed to that are not among its long-lived ones, ascending; ids outside 0..63
 * do not count.
 */
export function shortLivedSubnets(subscribed: Iterable<number>, longLived: Iterable<number>): number[] {
  const backbone = new Set(longLived);
  const shortLived = new Set<number>();
  for (const subnet of subscribed) {
    const valid = Number.isInteger(subnet) && subnet >= 0 && subnet < ATTESTATION_SUBNET_COUNT;
    if (valid && !backbone.has(subnet)) shortLived.add(subnet);
  }
  return [...shortLived].sort((a, b) => a - b);
}
