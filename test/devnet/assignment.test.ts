import { describe, expect, it } from 'vitest';
import { custodyGroups, epochsUntilRotation, longLivedSubnets } from '../../src/devnet/assignment.ts';

const hex = (nodeId: bigint) => nodeId.toString(16).padStart(64, '0');
const REPEATED = 'a1b2c3d4'.repeat(8);

describe('long-lived subnets', () => {
  it.each([
    [0n, 54321, [4, 5]],
    [88752428858350697756262172400162263450541348766581994718383409852729519486397n, 1017090249, [61, 62]],
    [18732750322395381632951253735273868184515463718109267674920115648614659369468n, 1827566880, [23, 24]],
    [27726842142488109545414954493849224833670205008410190955613662332153332462900n, 846255942, [38, 39]],
    [BigInt(`0x${REPEATED}`), 490612, [11, 12]],
  ])('of node %i at epoch %i are %j, as the consensus specification has it', (nodeId, epoch, expected) => {
    expect(longLivedSubnets(hex(nodeId), epoch)).toEqual(expected);
  });

  it('change when the rotation is due and not before', () => {
    const epoch = 490_612;
    const left = epochsUntilRotation(REPEATED, epoch);
    // (epoch + node_id % 256) % 256 is 0 then; node_id ends in 0xd4 = 212.
    expect((epoch + left + 212) % 256).toBe(0);
    expect(longLivedSubnets(REPEATED, epoch + left - 1)).toEqual([11, 12]);
    expect(longLivedSubnets(REPEATED, epoch + left)).not.toEqual([11, 12]);
  });
});

describe('custody groups', () => {
  it.each([
    [hex(0n), 3, [1, 87, 102]],
    [REPEATED, 4, [10, 27, 45, 116]],
    [REPEATED, 8, [10, 27, 45, 66, 70, 97, 106, 116]],
  ])('of node %s, %i of them, are %j', (nodeId, count, expected) => {
    expect(custodyGroups(nodeId, count)).toEqual(expected);
  });

  it('are all of them for a supernode, also where the node id wraps', () => {
    const all = Array.from({ length: 128 }, (_, index) => index);
    expect(custodyGroups(hex(2n ** 256n - 1n), 128)).toEqual(all);
  });
});
