import type { BlobParameters } from './fork-digest.ts';

/** A consensus network as the crawler needs to know it, and the rules that follow from its numbers. */

/** One stretch of epochs during which nodes carry the same fork digest. */
export interface ForkStep {
  /** First epoch of the stretch. */
  readonly epoch: number;
  /** The fork's name; a blob-parameter-only step carries the name of the fork it happens in. */
  readonly name: string;
  /** 4 bytes of hex. It stays the same across blob-parameter-only steps. */
  readonly forkVersion: string;
  /** 4 bytes of hex, no prefix. */
  readonly digest: string;
  /** The blob parameters in the digest; `null` before Fulu, where there are none. */
  readonly blobs: BlobParameters | null;
}

export interface Network {
  readonly name: string;
  /** On public networks only public unicast addresses are dialled, on others only loopback. */
  readonly isPublic: boolean;
  /** Set when the user vouches for every address of the network, as of a private one on a LAN. */
  readonly dialsAnyAddress?: boolean;
  readonly genesisTimeMs: number;
  readonly slotMs: number;
  readonly slotsPerEpoch: number;
  /** 32 bytes of hex, no prefix. */
  readonly genesisValidatorsRoot: string;
  /** Ascending by epoch; the first step is at epoch 0. */
  readonly forkSteps: readonly ForkStep[];
  readonly bootnodes: readonly string[];
  /** Number of active validators, which sets the probability of being an aggregator. */
  readonly activeValidators: number;
}

export const FAR_FUTURE_EPOCH = 2n ** 64n - 1n;

/** The step in force at `epoch`. Before genesis this is the genesis step. */
export function forkStepAt(network: Network, epoch: number): ForkStep {
  let current = network.forkSteps[0];
  for (const step of network.forkSteps) if (step.epoch <= epoch) current = step;
  if (current === undefined) throw new Error(`network ${network.name} has no forks`);
  return current;
}

/** The next scheduled step after `epoch`, regular or blob-parameter-only. Before genesis it is that after genesis. */
export function nextForkStep(network: Network, epoch: number): ForkStep | undefined {
  return network.forkSteps.find((step) => step.epoch > Math.max(epoch, 0));
}

/** How long a digest that has been replaced is still accepted: nodes that have not upgraded stay observable. */
export const PREVIOUS_DIGEST_EPOCHS = 8;
/** How long before a fork its digest is accepted: nodes announce early when their clock is ahead. */
export const NEXT_DIGEST_EPOCHS = 2;

/**
 * The digests that count as "our network" at `epoch`: the current one, those of the last {@link PREVIOUS_DIGEST_EPOCHS}
 * and those of the next {@link NEXT_DIGEST_EPOCHS} epochs, however many steps that are.
 */
export function acceptedDigests(network: Network, epoch: number): ReadonlySet<string> {
  const accepted = new Set([forkStepAt(network, epoch - PREVIOUS_DIGEST_EPOCHS).digest]);
  for (const step of network.forkSteps) {
    if (step.epoch > epoch - PREVIOUS_DIGEST_EPOCHS && step.epoch <= epoch + NEXT_DIGEST_EPOCHS)
      accepted.add(step.digest);
  }
  return accepted;
}
