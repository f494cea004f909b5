/**
 * When a node was subscribed to every attestation subnet, whatever its duties (`--subscribe-all-subnets` and its kin) or on account of
 * them. It may say so in its long-lived subnets, or, as Lodestar and older Prysm do, say nothing and show all 64.
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

/** Fewer epochs running may be chance. */
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

/** Whether the node says that it subscribes to all, and has not shown otherwise since. */
export function declaresAll({ partialEpoch, declaredEpoch }: SubscribeAllEvidence): boolean {
  return declaredEpoch > partialEpoch;
}

/** Whether it has shown all subnets, and nothing else, for some epochs. */
export function showsAll({ partialEpoch, fullEpochs }: SubscribeAllEvidence): boolean {
  return fullEpochs.length === FULL_EPOCHS_THAT_TELL && fullEpochs.every((epoch) => epoch > partialEpoch);
}
