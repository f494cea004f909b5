import { type BlobParameters, computeForkDigest } from './fork-digest.ts';
import type { ForkStep } from './network.ts';

/** Forks in their order, after phase0, as a `config.yaml` writes them. */
export const FORKS = ['ALTAIR', 'BELLATRIX', 'CAPELLA', 'DENEB', 'ELECTRA', 'FULU', 'GLOAS', 'HEZE'] as const;

export interface ScheduledFork {
  readonly name: string;
  readonly epoch: number;
  /** 4 bytes of hex. */
  readonly version: string;
}

/**
 * The stretches of equal fork digest that a fork schedule and a blob schedule give, ascending by epoch. Forks that
 * share an epoch collapse into the last of them; blob entries count from Fulu on.
 *
 * @param blobsBeforeSchedule what holds from Fulu until the first blob entry: Electra's epoch and blob limit
 */
export function forkSteps(
  genesisValidatorsRoot: string,
  forks: readonly ScheduledFork[],
  blobSchedule: readonly BlobParameters[],
  blobsBeforeSchedule: BlobParameters,
): ForkStep[] {
  const ordered = [...forks].sort((a, b) => a.epoch - b.epoch);
  const fuluEpoch = ordered.find((fork) => fork.name === 'fulu')?.epoch ?? Number.POSITIVE_INFINITY;
  const blobs = [...blobSchedule].sort((a, b) => a.epoch - b.epoch);
  const starts = new Set(ordered.map((fork) => fork.epoch));
  for (const entry of blobs) if (entry.epoch >= fuluEpoch) starts.add(entry.epoch);

  return [...starts]
    .sort((a, b) => a - b)
    .map((epoch) => {
      const fork = ordered.findLast((candidate) => candidate.epoch <= epoch);
      if (fork === undefined) throw new RangeError('a fork schedule starts at epoch 0');
      const latest = blobs.findLast((entry) => entry.epoch <= epoch) ?? blobsBeforeSchedule;
      const parameters = epoch >= fuluEpoch ? latest : null;
      return {
        epoch,
        name: fork.name,
        forkVersion: fork.version,
        digest: computeForkDigest(fork.version, genesisValidatorsRoot, parameters),
        blobs: parameters,
      };
    });
}
