import { createHash } from 'node:crypto';

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** A little-endian 64-bit integer, as SSZ writes it. */
export function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

/** An SSZ bit vector: bit `i` is byte `i >> 3`, bit `i & 7`. */
export function bitVector(positions: Iterable<number>, byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  for (const position of positions) bytes[position >> 3] = (bytes[position >> 3] ?? 0) | (1 << (position & 7));
  return bytes;
}
