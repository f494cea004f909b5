import { describe, expect, it } from 'vitest';
import { builtInNetwork } from '../../../src/consensus/networks.ts';
import { foreignNetwork } from '../../../src/programs/sentry/foreign-network.ts';

/** Digests: the table of the networks' fork digests (mainnet BPO2 8c9f62fe, Fulu cc2c5cdb, hoodi BPO2 c6ecb76c). */

const sepolia = builtInNetwork('sepolia');
const END = '; look at --network and its bootnodes';

describe('a crawl round on another network than ours', () => {
  it.each<[string, number, Record<string, number>, string | null]>([
    ['is none when somebody is of ours', 1, { '8c9f62fe': 900 }, null],
    ['is none when nobody was met', 0, {}, null],
    ['is none when nobody who was met tells a fork', 0, { none: 40 }, null],
    ['is named', 0, { '8c9f62fe': 40, none: 3 }, `none of the 40 nodes met is of sepolia: 40 of mainnet${END}`],
    [
      'is named once, whichever of its forks they are on, the most first',
      0,
      { c6ecb76c: 30, '8c9f62fe': 20, cc2c5cdb: 20 },
      `none of the 70 nodes met is of sepolia: 40 of mainnet, 30 of hoodi${END}`,
    ],
    [
      'is told by its digest when nobody knows it, and beyond three only counted',
      0,
      { deadbeef: 9, '8c9f62fe': 8, c6ecb76c: 7, '11111111': 2, '22222222': 1 },
      `none of the 27 nodes met is of sepolia: 9 of a network with fork digest deadbeef, 8 of mainnet, 7 of hoodi, 3 of others${END}`,
    ],
  ])('%s', (_, ours, otherDigests, told) => {
    expect(foreignNetwork({ ours, otherDigests }, sepolia)).toBe(told);
  });

  it('is nothing to tell before the first has ended', () => {
    expect(foreignNetwork(null, sepolia)).toBeNull();
  });
});
