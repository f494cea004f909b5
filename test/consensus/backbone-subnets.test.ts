import { describe, expect, test } from 'vitest';
import { prefixSubnets, specifiedSubnets } from '../../src/consensus/backbone-subnets.ts';

/** Lodestar's published test vectors for compute_subscribed_subnets, and the prefix rule worked out by hand. */
const VECTORS = [
  { id: 0n, epoch: 54321, specified: [4, 5], prefix: [0, 1] },
  {
    id: 88752428858350697756262172400162263450541348766581994718383409852729519486397n,
    epoch: 1017090249,
    specified: [61, 62],
    prefix: [49, 50],
  },
  {
    id: 18732750322395381632951253735273868184515463718109267674920115648614659369468n,
    epoch: 1827566880,
    specified: [23, 24],
    prefix: [10, 11],
  },
  {
    id: 27726842142488109545414954493849224833670205008410190955613662332153332462900n,
    epoch: 846255942,
    specified: [38, 39],
    prefix: [15, 16],
  },
  { id: BigInt(`0x${'a1b2c3d4'.repeat(8)}`), epoch: 490612, specified: [11, 12], prefix: [40, 41] },
];

describe('the long-lived subnets of a node id', () => {
  test.each(VECTORS)('$id in epoch $epoch', ({ id, epoch, specified, prefix }) => {
    const nodeId = id.toString(16).padStart(64, '0');
    expect(specifiedSubnets(nodeId, epoch)).toEqual(specified);
    expect(prefixSubnets(nodeId)).toEqual(prefix);
  });

  test('wrap around at 64', () => {
    expect(prefixSubnets('ff'.repeat(32))).toEqual([0, 63]);
  });
});
