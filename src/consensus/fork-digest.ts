import { createHash } from 'node:crypto';
import { fromHex, toHex } from './bits.ts';

export interface BlobParameters {
  /** The epoch of the schedule entry, not of the fork. */
  readonly epoch: number;
  readonly maxBlobsPerBlock: number;
}

/**
 * The 4-byte fork digest in hex (phase0/beacon-chain.md compute_fork_digest; fulu/beacon-chain.md adds the blob
 * parameters, `null` before Fulu).
 */
export function computeForkDigest(
  forkVersion: string,
  genesisValidatorsRoot: string,
  blobParameters: BlobParameters | null,
): string {
  const forkData = new Uint8Array(64);
  forkData.set(bytesOf(forkVersion, 4), 0);
  forkData.set(bytesOf(genesisValidatorsRoot, 32), 32);
  const root = createHash('sha256').update(forkData).digest();
  if (blobParameters === null) return toHex(root.subarray(0, 4));
  const parameters = Buffer.alloc(16);
  parameters.writeBigUInt64LE(BigInt(blobParameters.epoch), 0);
  parameters.writeBigUInt64LE(BigInt(blobParameters.maxBlobsPerBlock), 8);
  const mask = createHash('sha256').update(parameters).digest();
  return toHex(Uint8Array.from(root.subarray(0, 4), (byte, index) => byte ^ (mask[index] ?? 0)));
}

function bytesOf(hex: string, length: number): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes?.length !== length) throw new RangeError(`expected ${length} bytes of hex, got "${hex}"`);
  return bytes;
}
