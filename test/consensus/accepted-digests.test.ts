import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptedDigests, forkStepAt, type Network, nextForkStep } from '../../src/consensus/network.ts';
import { builtInNetwork } from '../../src/consensus/networks.ts';

const mainnet = builtInNetwork('mainnet');
const accepted = (network: Network, epoch: number) => [...acceptedDigests(network, epoch)].sort();

/** A network whose step at an epoch has that epoch as its digest. */
function steppingAt(epochs: readonly number[]): Network {
  return {
    ...mainnet,
    forkSteps: epochs.map((epoch) => ({
      epoch,
      name: 'x',
      forkVersion: '00000000',
      digest: epoch.toString(16).padStart(8, '0'),
      blobs: null,
    })),
  };
}

describe('accepted digests', () => {
  it.each([
    ['a regular fork, Fulu', 411_392, 'ad532ceb', 'cc2c5cdb'],
    ['a blob-parameter-only fork', 412_672, 'cc2c5cdb', 'cb0d1acc'],
    ['the last one', 419_072, 'cb0d1acc', '8c9f62fe'],
  ])('around %s', (_, epoch, before, after) => {
    const both = [before, after].sort();
    expect(accepted(mainnet, epoch - 3)).toEqual([before]);
    expect(accepted(mainnet, epoch - 2)).toEqual(both);
    expect(accepted(mainnet, epoch - 1)).toEqual(both);
    expect(accepted(mainnet, epoch)).toEqual(both);
    expect(accepted(mainnet, epoch + 7)).toEqual(both);
    expect(accepted(mainnet, epoch + 8)).toEqual([after]);
  });

  it('at and before genesis are the first one', () => {
    expect(accepted(mainnet, 0)).toEqual(['b5303f2a']);
    expect(accepted(mainnet, -1_000)).toEqual(['b5303f2a']);
  });

  it('after the last step are that one for ever', () => {
    expect(accepted(mainnet, 10_000_000)).toEqual(['8c9f62fe']);
  });

  it('include one that was in force for less than the time it is still accepted', () => {
    expect(accepted(steppingAt([0, 100, 104]), 105)).toEqual(['00000000', '00000064', '00000068']);
    expect(accepted(steppingAt([0, 100, 101]), 99)).toEqual(['00000000', '00000064', '00000065']);
  });

  it('are those of all steps in force within the window, on any schedule', () => {
    const schedule = fc
      .uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 8 })
      .map((epochs) => [0, ...epochs.sort((a, b) => a - b)]);
    fc.assert(
      fc.property(schedule, fc.integer({ min: 0, max: 80 }), (epochs, epoch) => {
        const network = steppingAt(epochs);
        const window = Array.from({ length: 11 }, (_, index) => forkStepAt(network, epoch - 8 + index).digest);
        expect(accepted(network, epoch)).toEqual([...new Set(window)].sort());
      }),
    );
  });
});

describe('fork steps', () => {
  it('are found by epoch', () => {
    expect(forkStepAt(mainnet, 411_391).name).toBe('electra');
    expect(forkStepAt(mainnet, 411_392)).toMatchObject({ name: 'fulu', digest: 'cc2c5cdb' });
    expect(forkStepAt(mainnet, 412_672)).toMatchObject({ name: 'fulu', digest: 'cb0d1acc' });
    expect(nextForkStep(mainnet, 411_391)?.epoch).toBe(411_392);
    expect(nextForkStep(mainnet, 411_392)?.epoch).toBe(412_672);
    expect(nextForkStep(mainnet, 419_072)).toBeUndefined();
  });

  it('of a network without any are a mistake of the program', () => {
    expect(() => forkStepAt(steppingAt([]), 1)).toThrow(/has no forks/);
  });
});
