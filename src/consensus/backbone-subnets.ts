import { createHash } from 'node:crypto';
import { ATTESTATION_SUBNET_COUNT } from './subnets.ts';

/**
 * The attestation subnets that a node is to stay subscribed to (phase0/p2p-interface.md, compute_subscribed_subnets). What a node
 * really advertises comes from its MetaData; these are to compare with, and tell some clients apart.
 */

const SUBNETS_PER_NODE = 2;
const EPOCHS_PER_SUBNET_SUBSCRIPTION = 256;
const SHUFFLE_ROUND_COUNT = 90;
/** The subnet prefix is the first six bits of the node id. */
const PREFIX_SHIFT = 250n;

/** The two subnets by the specification's rule. @param nodeId 32 bytes of hex */
export function specifiedSubnets(nodeId: string, epoch: number): number[] {
  const id = BigInt(`0x${nodeId}`);
  const offset = Number(id % BigInt(EPOCHS_PER_SUBNET_SUBSCRIPTION));
  const seed = sha256(uint64(Math.floor((epoch + offset) / EPOCHS_PER_SUBNET_SUBSCRIPTION)));
  return consecutive(shuffledIndex(Number(id >> PREFIX_SHIFT), ATTESTATION_SUBNET_COUNT, seed));
}

/** Lighthouse's own rule since v6: the prefix itself, without rotation (consensus-specs PR 3735). */
export function prefixSubnets(nodeId: string): number[] {
  return consecutive(Number(BigInt(`0x${nodeId}`) >> PREFIX_SHIFT));
}

function consecutive(first: number): number[] {
  return Array.from({ length: SUBNETS_PER_NODE }, (_, index) => (first + index) % ATTESTATION_SUBNET_COUNT).sort(
    (a, b) => a - b,
  );
}

/** compute_shuffled_index (phase0/beacon-chain.md). */
function shuffledIndex(start: number, count: number, seed: Uint8Array): number {
  let index = start;
  for (let round = 0; round < SHUFFLE_ROUND_COUNT; round++) {
    const pivot = Number(Buffer.from(sha256(seed, Uint8Array.of(round))).readBigUInt64LE(0) % BigInt(count));
    const flip = (pivot + count - index) % count;
    const position = Math.max(index, flip);
    const source = sha256(seed, Uint8Array.of(round), uint32(Math.floor(position / 256)));
    const byte = source[Math.floor((position % 256) / 8)] ?? 0;
    if ((byte >> (position % 8)) & 1) index = flip;
  }
  return index;
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function uint64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
