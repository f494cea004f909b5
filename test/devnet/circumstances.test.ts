import { describe, expect, it } from 'vitest';
import { roomAt } from '../../src/devnet/circumstances.ts';
import { BOOTNODES } from '../../src/devnet/kinds.ts';
import { drawTruth } from '../../src/devnet/truth.ts';

const truths = drawTruth({ nodes: 1_000, seed: 3, activeValidators: 1_000_000, firstEpoch: 10, mixed: true });

describe('circumstances', () => {
  it('are odd for about one honest node in six, and for none that is faulty, behind a router or a bootnode', () => {
    const odd = truths.filter(({ circumstance }) => circumstance !== 'roomy');
    expect(
      odd.every(({ behaviour, reach, index }) => behaviour === 'honest' && reach !== 'nat' && index >= BOOTNODES),
    ).toBe(true);
    const honest = truths.filter(({ behaviour, reach }) => behaviour === 'honest' && reach !== 'nat');
    // 0.16 of 800 and more: four standard deviations are 0.05.
    expect(odd.length / honest.length).toBeGreaterThan(0.11);
    expect(odd.length / honest.length).toBeLessThan(0.21);
    expect(new Set(odd.map(({ circumstance }) => circumstance))).toEqual(new Set(['crowded', 'full', 'syncing']));
  });

  it('are as good as can be where all nodes are plain', () => {
    const plain = drawTruth({ nodes: 200, seed: 3, activeValidators: 1_000_000, firstEpoch: 10 });
    expect(new Set(plain.map(({ circumstance }) => circumstance))).toEqual(new Set(['roomy']));
  });

  it('leave a full node with a place for a third of each minute, not all at once', () => {
    const minute = Array.from({ length: 60 }, (_, second) => second * 1_000);
    const roomy = (index: number) => minute.filter((atMs) => roomAt('full', index, atMs) === 'wants-peers');
    for (let index = 0; index < 20; index++) expect(roomy(index).length, `${index}`).toBe(20);
    expect(new Set(Array.from({ length: 20 }, (_, index) => roomy(index).join())).size).toBeGreaterThan(10);
    expect(minute.every((atMs) => roomAt('crowded', 1, atMs) === 'at-target')).toBe(true);
    expect(minute.every((atMs) => roomAt('syncing', 1, atMs) === 'wants-peers')).toBe(true);
  });
});
