/**
 * Whether a node is subscribed to every attestation subnet whatever its duties (`--subscribe-all-subnets` and its kin): it says so in its
 * long-lived subnets, or, as Lodestar and older Prysm do, says nothing and shows all 64 in one epoch after another.
 *
 * Only the newest epochs of each kind are kept, so that the order of observations does not matter.
 */
export interface SubscribeAllEvidence {
  /** Newest epoch in which a subnet was not subscribed to. */
  readonly partialEpoch: number;
  /** Newest epoch in which the node listed all subnets as long-lived. */
  readonly declaredEpoch: number;
  /** Newest epochs in which all subnets were subscribed to, newest first. */
  readonly fullEpochs: readonly number[];
}

export type SubnetCoverage = 'partial' | 'declared' | 'full';

export const NO_SUBSCRIBE_ALL_EVIDENCE: SubscribeAllEvidence = {
  partialEpoch: Number.NEGATIVE_INFINITY,
  declaredEpoch: Number.NEGATIVE_INFINITY,
  fullEpochs: [],
};

/** The largest stakers light all subnets now and then; so many epochs running, only a flag does. */
const FULL_EPOCHS_THAT_TELL = 3;

export function addCoverage(
  evidence: SubscribeAllEvidence,
  epoch: number,
  coverage: SubnetCoverage,
): SubscribeAllEvidence {
  switch (coverage) {
    case 'partial':
      return { ...evidence, partialEpoch: Math.max(evidence.partialEpoch, epoch) };
    case 'declared':
      return { ...evidence, declaredEpoch: Math.max(evidence.declaredEpoch, epoch) };
    case 'full': {
      const epochs = new Set([...evidence.fullEpochs, epoch]);
      const newest = [...epochs].sort((a, b) => b - a).slice(0, FULL_EPOCHS_THAT_TELL);
      return { ...evidence, fullEpochs: newest };
    }
  }
}

export function subscribesToAll({ partialEpoch, declaredEpoch, fullEpochs }: SubscribeAllEvidence): boolean {
  if (declaredEpoch > partialEpoch) return true;
  return fullEpochs.length === FULL_EPOCHS_THAT_TELL && fullEpochs.every((epoch) => epoch > partialEpoch);
}
