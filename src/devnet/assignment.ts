import { sha256, uint64 } from './bytes.ts';

/** What a node's id decides for it: its long-lived attestation subnets and its custody groups. */

export const SUBNET_COUNT = 64;
const SUBNETS_PER_NODE = 2;
const EPOCHS_PER_SUBSCRIPTION = 256;
const SHUFFLE_ROUNDS = 90;
const CUSTODY_GROUP_COUNT = 128;
const LARGEST_NODE_ID = 2n ** 256n - 1n;

/** compute_subscribed_subnets (phase0/p2p-interface.md), in the order of the specification. `nodeId`: 32 bytes of hex. */
export function longLivedSubnets(nodeId: string, epoch: number): number[] {
  const prefix = Number.parseInt(nodeId.slice(0, 2), 16) >> 2;
  const period = Math.floor((epoch + rotationOffset(nodeId)) / EPOCHS_PER_SUBSCRIPTION);
  const first = shuffledIndex(prefix, SUBNET_COUNT, sha256(uint64(BigInt(period))));
  return Array.from({ length: SUBNETS_PER_NODE }, (_, index) => (first + index) % SUBNET_COUNT);
}

/** Lighthouse's own rule since v6 (PR 6146): the prefix itself, unshuffled, and the same for ever. */
export function prefixSubnets(nodeId: string): number[] {
  const prefix = Number.parseInt(nodeId.slice(0, 2), 16) >> 2;
  return Array.from({ length: SUBNETS_PER_NODE }, (_, index) => (prefix + index) % SUBNET_COUNT);
}

/** Epochs from `epoch` until the node's long-lived subnets change, at least 1. */
export function epochsUntilRotation(nodeId: string, epoch: number): number {
  return EPOCHS_PER_SUBSCRIPTION - ((epoch + rotationOffset(nodeId)) % EPOCHS_PER_SUBSCRIPTION);
}

/** get_custody_groups (fulu/das-core.md), ascending. A group is one data column, and a column is one gossip subnet. */
export function custodyGroups(nodeId: string, count: number): number[] {
  const groups = new Set<number>();
  let id = BigInt(`0x${nodeId}`);
  while (groups.size < Math.min(count, CUSTODY_GROUP_COUNT)) {
    const bytes = Buffer.from(id.toString(16).padStart(64, '0'), 'hex').reverse();
    groups.add(Number(sha256(bytes).readBigUInt64LE(0) % BigInt(CUSTODY_GROUP_COUNT)));
    id = id === LARGEST_NODE_ID ? 0n : id + 1n;
  }
  return [...groups].sort((left, right) => left - right);
}

/** node_id % 256, which spreads the rotations of different nodes over a period. */
function rotationOffset(nodeId: string): number {
  return Number.parseInt(nodeId.slice(-2), 16);
}

/** compute_shuffled_index (phase0/beacon-chain.md). */
function shuffledIndex(start: number, count: number, seed: Buffer): number {
  let index = start;
  for (let round = 0; round < SHUFFLE_ROUNDS; round++) {
    const roundSeed = Buffer.concat([seed, Buffer.from([round])]);
    const pivot = Number(sha256(roundSeed).readBigUInt64LE(0) % BigInt(count));
    const flipped = (pivot + count - index) % count;
    const position = Math.max(index, flipped);
    const block = Buffer.alloc(4);
    block.writeUInt32LE(position >> 8);
    const source = sha256(Buffer.concat([roundSeed, block]));
    const bit = ((source[(position & 255) >> 3] ?? 0) >> (position & 7)) & 1;
    if (bit === 1) index = flipped;
  }
  return index;
}
