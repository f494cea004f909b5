import { type BlobParameters, computeForkDigest } from '../fork-digest.ts';
import type { ForkStep, Network } from '../network.ts';

/** More than any schedule has asked for so far by a factor of ten (fulu BLOB_SCHEDULE: 21). */
const MAX_BLOBS = 256;

/**
 * The step of this chain that has a digest, if there is one: a digest is a hash over the fork's version, the genesis of the
 * chain and the blob parameters (fulu/beacon-chain.md compute_fork_digest), so one that follows from the genesis that we know
 * is of our chain, whoever tells it, but for a few chances in a million.
 *
 * @param before the step that it follows
 * @param versions fork versions that it may have besides that of `before`
 * @param epochs in which of them it may have begun
 */
export function deriveStep(
  network: Pick<Network, 'genesisValidatorsRoot'>,
  before: ForkStep,
  digest: string,
  versions: Iterable<string>,
  epochs: Iterable<number>,
): Pick<ForkStep, 'forkVersion' | 'blobs'> | null {
  const isIt = (forkVersion: string, blobs: BlobParameters | null) =>
    computeForkDigest(forkVersion, network.genesisValidatorsRoot, blobs) === digest;
  const candidates = [...new Set([...versions, before.forkVersion])];
  for (const forkVersion of candidates)
    if (isIt(forkVersion, before.blobs)) return { forkVersion, blobs: before.blobs };
  // Blob parameters came with Fulu; what forks before it follows from the version alone.
  if (before.blobs === null) return null;
  for (const epoch of epochs) {
    for (let maxBlobsPerBlock = 1; maxBlobsPerBlock <= MAX_BLOBS; maxBlobsPerBlock++) {
      const blobs = { epoch, maxBlobsPerBlock };
      for (const forkVersion of candidates) if (isIt(forkVersion, blobs)) return { forkVersion, blobs };
    }
  }
  return null;
}
