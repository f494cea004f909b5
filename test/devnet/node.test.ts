import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AddressBlock, claimAddressBlock } from '../../src/devnet/addresses.ts';
import { epochsUntilRotation, longLivedSubnets } from '../../src/devnet/assignment.ts';
import { endpointsOf } from '../../src/devnet/endpoints.ts';
import { type Host, startHost } from '../../src/devnet/host.ts';
import { installNativeRecordCrypto } from '../../src/devnet/native-crypto.ts';
import { type SimulatedNode, simulateNode } from '../../src/devnet/node.ts';
import { createRecord, presenceAt } from '../../src/devnet/record.ts';
import { fuluSchedule } from '../../src/devnet/schedule.ts';
import { drawTruth, type NodeTruth } from '../../src/devnet/truth.ts';
import { exchange, plainPeer, successOf } from '../support/devnet/plain-peer.ts';

const schedule = fuluSchedule(1);
let block: AddressBlock;
let host: Host;
let truth: NodeTruth;
let node: SimulatedNode;

beforeAll(async () => {
  installNativeRecordCrypto();
  block = await claimAddressBlock();
  truth = drawTruth({ nodes: 4, seed: 1, activeValidators: 1_000_000, firstEpoch: 10 }).find(
    ({ validators }) => validators === 0,
  ) as NodeTruth;
  const endpoints = await endpointsOf(truth, 0, block);
  const record = createRecord(truth, presenceAt(truth, schedule, 10), endpoints);
  host = await startHost({ truth, record, endpoints, block });
  // An hour a slot: only the test moves the node.
  const clock = { slotMs: 3_600_000, genesisTimeMs: Date.now() - 320 * 3_600_000 };
  const ignore = () => undefined;
  const isStranger = () => true;
  node = await simulateNode({ truth, schedule, clock, host, record, isStranger, onProblem: ignore, onSubnets: ignore });
});

afterAll(async () => {
  node.retire();
  await host.stop();
  await block.release();
});

describe('a node whose long-lived subnets rotate', () => {
  it('says so in its record, its MetaData and its topics, and nowhere before', async () => {
    const rotation = 10 + epochsUntilRotation(truth.nodeId, 10);
    const before = longLivedSubnets(truth.nodeId, 10);
    const after = longLivedSubnets(truth.nodeId, rotation);
    expect(after).not.toEqual(before);
    const topics = () =>
      (host.libp2p?.pubsub?.getTopics() ?? [])
        .flatMap((topic) => /beacon_attestation_(\d+)/.exec(topic)?.[1] ?? [])
        .map(Number);
    const peer = await plainPeer();
    const address = host.libp2p?.libp2p.getMultiaddrs()[0]?.toString() ?? '';
    const metaDataSequence = async () => {
      const connection = await peer.dial(address);
      return (await successOf(await exchange(connection, 'metadata/3', ''))).readBigUInt64LE(0);
    };

    expect(node.advance(320)).toBe(false);
    expect(node.advance(rotation * 32 - 1)).toBe(false);
    expect(node.record().seq).toBe(1n);
    expect(topics().toSorted()).toEqual(before.toSorted());
    expect(await metaDataSequence()).toBe(1n);

    expect(node.advance(rotation * 32)).toBe(true);
    expect(node.record().seq).toBe(2n);
    expect(node.longLivedSubnets()).toEqual(after);
    expect(topics().toSorted()).toEqual(after.toSorted());
    const bits = Buffer.from(node.record().kvs.get('attnets') ?? []).readBigUInt64LE(0);
    expect(bits).toBe(after.reduce((sum, subnet) => sum | (1n << BigInt(subnet)), 0n));
    expect(host.discovery.enr.encodeTxt()).toBe(node.record().encodeTxt());
    expect(await metaDataSequence()).toBe(2n);
    await peer.libp2p.stop();
  });
});
