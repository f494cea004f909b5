import type { Coverage } from './coverage.ts';

/** When crawl rounds begin: every so many epochs, and in the next one when nobody has answered. */
export interface RoundTimes {
  isTime(epoch: number): boolean;
  began(epoch: number): void;
  ended(coverage: Pick<Coverage, 'answered'>, epoch: number): void;
}

export function createRoundTimes(everyEpochs: number): RoundTimes {
  let nextEpoch = Number.NEGATIVE_INFINITY;

  return {
    isTime: (epoch) => epoch >= nextEpoch,
    began(epoch) {
      nextEpoch = epoch + everyEpochs;
    },
    ended({ answered }, epoch) {
      if (answered === 0) nextEpoch = epoch + 1;
    },
  };
}
