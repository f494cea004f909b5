import { beforeAll, describe, expect, it } from 'vitest';
import { longLivedSubnets } from '../../src/devnet/assignment.ts';
import { CLIENT_NAMES } from '../../src/devnet/clients.ts';
import { installNativeRecordCrypto } from '../../src/devnet/native-crypto.ts';
import { drawTruth, STABLE_EPOCHS } from '../../src/devnet/truth.ts';

beforeAll(installNativeRecordCrypto);

const options = { nodes: 40, seed: 1, activeValidators: 1_000_000, firstEpoch: 10 };
const plain = (seed: number) =>
  drawTruth({ ...options, seed }).map(({ privateKey, ...rest }) => ({
    ...rest,
    key: Buffer.from(privateKey.raw).toString('hex'),
  }));

describe('the truth of a devnet', () => {
  it('is the same for the same seed and another for another', () => {
    expect(plain(1)).toEqual(plain(1));
    const shared = new Set(plain(1).map((node) => node.peerId));
    expect(plain(2).some((node) => shared.has(node.peerId))).toBe(false);
  });

  it.each([1, 2, 3, 4, 5])('of 40 nodes with seed %i has every client and every size', (seed) => {
    const nodes = drawTruth({ ...options, seed });
    const sizes = nodes.map((node) => node.validators);
    const between = (low: number, high: number) => sizes.filter((size) => size >= low && size <= high).length;
    expect(new Set(nodes.map((node) => node.client))).toEqual(new Set(CLIENT_NAMES));
    expect(between(0, 0)).toBeGreaterThanOrEqual(8);
    expect(between(1, 5)).toBeGreaterThanOrEqual(14);
    expect(between(6, 60)).toBeGreaterThanOrEqual(5);
    expect(between(100, 900)).toBeGreaterThanOrEqual(4);
    expect(between(1000, 4000)).toBe(2);
    expect(new Set(nodes.map((node) => node.nodeId)).size).toBe(40);
  });

  it('spreads 1000 nodes over the clients as they are in the world', () => {
    const nodes = drawTruth({ ...options, nodes: 1000 });
    const count = (client: string) => nodes.filter((node) => node.client === client).length;
    expect(CLIENT_NAMES.map(count)).toEqual([400, 250, 130, 100, 70, 50]);
    // Sizes do not depend on clients: the mean number of big nodes is the same for each.
    const big = nodes.filter((node) => node.validators >= 100 && node.client === 'Lighthouse').length;
    expect(Math.abs(big - 72)).toBeLessThan(4 * Math.sqrt(72));
  });

  it('has stakes and custody that follow from the validators', () => {
    for (const { client, validators, stakeEth, custodyGroupCount } of drawTruth({ ...options, nodes: 200 })) {
      expect(Number.isInteger(stakeEth)).toBe(true);
      expect(stakeEth).toBeGreaterThanOrEqual(32 * validators);
      expect(stakeEth).toBeLessThanOrEqual(2048 * validators);
      const byRule = validators === 0 ? 4 : Math.max(8, Math.min(128, Math.floor(stakeEth / 32)));
      if (client === 'Nimbus') expect([4, byRule]).toContain(custodyGroupCount);
      else expect(custodyGroupCount).toBe(byRule);
    }
  });

  it('has some compounding stakes and some Nimbus nodes that do not count their validators', () => {
    const nodes = drawTruth({ ...options, nodes: 200 });
    expect(nodes.some((node) => node.stakeEth > 32 * node.validators)).toBe(true);
    const uncounted = nodes.filter(
      (node) => node.client === 'Nimbus' && node.validators > 0 && node.custodyGroupCount === 4,
    );
    expect(uncounted.length).toBeGreaterThan(2);
  });

  it('keeps long-lived subnets as they are for the first epochs', () => {
    for (const { nodeId } of drawTruth(options).slice(0, 10)) {
      const first = longLivedSubnets(nodeId, 10);
      for (let epoch = 11; epoch < 10 + STABLE_EPOCHS; epoch++) expect(longLivedSubnets(nodeId, epoch)).toEqual(first);
    }
  });
});
