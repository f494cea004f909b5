import { Discv5 } from '@chainsafe/discv5';
import { SignableENR } from '@chainsafe/enr';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { multiaddr } from '@multiformats/multiaddr';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AddressBlock, claimAddressBlock } from '../../src/devnet/addresses.ts';
import { answerWithGhosts } from '../../src/devnet/ghosts.ts';

/** A discv5 node that nobody else asks: within a devnet its neighbours would use up the records it invents a second. */

const OWN_ETH2 = Buffer.from('0a1b2c3d06000000ffffffffffffffff', 'hex');

let block: AddressBlock;
let stack: AsyncDisposableStack;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  block = await claimAddressBlock();
  stack.defer(() => block.release());
});
afterEach(() => stack.disposeAsync());

async function create(host: string, eth2?: Uint8Array): Promise<Discv5> {
  const privateKey = await generateKeyPair('secp256k1');
  const enr = SignableENR.createFromPrivateKey(privateKey);
  if (eth2 !== undefined) enr.set('eth2', eth2);
  const bound = multiaddr(`/ip4/${host}/udp/${block.port}`);
  enr.setLocationMultiaddr(bound);
  return Discv5.create({ enr, privateKey, bindAddrs: { ip4: bound } });
}
async function start(discovery: Discv5): Promise<void> {
  await discovery.start();
  stack.defer(() => discovery.stop());
}

/** One that tells of ghosts, and one that asks it. */
async function tellerAndAsker(): Promise<{ teller: Discv5; asker: Discv5 }> {
  const teller = await create(block.host(0), OWN_ETH2);
  answerWithGhosts(teller, block);
  await start(teller);
  const asker = await create(block.host(1));
  await start(asker);
  return { teller, asker };
}

describe('a teller of nodes that do not exist', () => {
  it('million-records: new ones at each question, valid, at the distance asked for, where nobody is', async () => {
    const { teller, asker } = await tellerAndAsker();
    const node = teller.enr.toENR();
    // discv5 keeps records only that are signed and at the distance it has asked for.
    const first = await asker.sendFindNode(node, [256]);
    const second = await asker.sendFindNode(node, [256]);
    const third = await asker.sendFindNode(node, [255]);
    const own = await asker.sendFindNode(node, [0]);

    expect(own.map((record) => record.nodeId)).toEqual([node.nodeId]);
    for (const records of [first, second, third]) expect(records.length).toBeGreaterThan(1);
    const met = [...first, ...second, ...third];
    expect(new Set(met.map((record) => record.nodeId)).size).toBe(met.length);
    const octets = block.host(0).split('.').slice(0, 2);
    for (const record of met) {
      expect(record.ip?.split('.').slice(0, 2)).toEqual(octets);
      expect(Number(record.ip?.split('.')[2])).toBeGreaterThanOrEqual(240);
    }
    const digests = met.map((record) => Buffer.from(record.kvs.get('eth2') ?? []).toString('hex', 0, 4));
    expect(new Set(digests)).toEqual(new Set(['0a1b2c3d', 'deadbeef']));
  });

  it('takes its time for new ones: whoever asks more often hears the latest again', async () => {
    const { teller, asker } = await tellerAndAsker();
    const node = teller.enr.toENR();
    const startedMs = performance.now();
    const answers = [];
    for (let asked = 0; asked < 30; asked++) answers.push(await asker.sendFindNode(node, [256]));
    const seconds = Math.ceil((performance.now() - startedMs) / 1_000);

    const met = answers.flat().map((record) => record.nodeId);
    // 48 at once, and 48 more a second.
    expect(new Set(met).size).toBeLessThanOrEqual(48 * (1 + seconds));
    expect(met.length).toBeGreaterThan(new Set(met).size);
  });
});
