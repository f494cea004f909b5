import { ENR } from '@chainsafe/enr';
import { beforeAll, describe, expect, it } from 'vitest';
import { claimAddressBlock } from '../../src/devnet/addresses.ts';
import { prefixSubnets } from '../../src/devnet/assignment.ts';
import { CLIENT_NAMES } from '../../src/devnet/clients.ts';
import { endpointsOf } from '../../src/devnet/endpoints.ts';
import { FAULT_NAMES } from '../../src/devnet/faults.ts';
import { BOOTNODES, REACHES, TRAITS } from '../../src/devnet/kinds.ts';
import { installNativeRecordCrypto } from '../../src/devnet/native-crypto.ts';
import { acquaintances } from '../../src/devnet/neighbours.ts';
import { createRecord, presenceAt, publishedRecord } from '../../src/devnet/record.ts';
import { fuluSchedule } from '../../src/devnet/schedule.ts';
import { subscriptionsOf } from '../../src/devnet/subscriptions.ts';
import { drawTruth, type NodeTruth } from '../../src/devnet/truth.ts';

beforeAll(installNativeRecordCrypto);

const draw = (nodes: number, seed: number, mixed: boolean) =>
  drawTruth({ nodes, seed, activeValidators: 1_000_000, firstEpoch: 10, mixed });
const honest = ({ behaviour }: NodeTruth) => behaviour === 'honest';

describe.each([1, 2, 3, 4, 5, 6])('a mixed devnet of seed %i', (seed) => {
  it.each([100, 200])('and %i nodes has every client, every reach, every trait and every fault', (count) => {
    const nodes = draw(count, seed, true);
    const good = nodes.filter(honest);
    expect(new Set(good.map((node) => node.client))).toEqual(new Set([...CLIENT_NAMES, 'Caplin']));
    expect(new Set(good.map((node) => node.reach))).toEqual(new Set(REACHES));
    const traits = new Set(good.flatMap((node) => node.traits));
    for (const trait of TRAITS) if (trait !== 'external-validator-client') expect(traits).toContain(trait);
    expect(new Set(nodes.filter((node) => !honest(node)).map((node) => node.behaviour))).toEqual(new Set(FAULT_NAMES));
    const faulty = count - good.length;
    expect(faulty).toBe(Math.max(FAULT_NAMES.length, Math.round(0.15 * count)));
    for (const { behaviour, reach } of nodes.slice(0, BOOTNODES)) {
      expect(behaviour).toBe('honest');
      expect(['tcp', 'mplex-only']).toContain(reach);
    }
  });

  it('is the same each time, and the same people as in a plain one', () => {
    const mixed = draw(60, seed, true);
    expect(draw(60, seed, true).map(({ privateKey, ...rest }) => rest)).toEqual(
      mixed.map(({ privateKey, ...rest }) => rest),
    );
    // But for those that share an address, and so a place.
    const who = ({ peerId, validators, stakeEth, place, index }: NodeTruth) => {
      const isShared = ['dual-stack', 'ipv6-only', 'nat'].includes(mixed[index]?.reach ?? '');
      return { peerId, validators, stakeEth, place: isShared ? null : place };
    };
    expect(draw(60, seed, false).map(who)).toEqual(mixed.map(who));
  });
});

describe('a plain devnet', () => {
  it('is of honest nodes with one way to reach them, by their long-lived subnets of the specification', () => {
    for (const node of draw(60, 1, false)) {
      expect(node.behaviour).toBe('honest');
      expect(node.reach).toBe(node.client === 'Lodestar' ? 'mplex-only' : 'tcp');
      expect(node.traits.filter((trait) => trait !== 'external-validator-client')).toEqual([]);
    }
  });
});

describe('traits', () => {
  const nodes = draw(200, 1, true).filter(honest);
  const withTrait = (trait: NodeTruth['traits'][number]) => nodes.filter((node) => node.traits.includes(trait));
  const schedule = fuluSchedule(1);
  const attnets = (node: NodeTruth) =>
    Buffer.from(presenceAt(node, schedule, 10).entries.attnets)
      .readBigUInt64LE(0)
      .toString(2)
      .replaceAll('0', '').length;
  const subnets = (node: NodeTruth) => subscriptionsOf(node, schedule)(320, presenceAt(node, schedule, 10)).subnets;

  it('subscribe-all: all of attnets, but for Lodestar, which shows it in gossip alone', () => {
    const all = withTrait('subscribe-all');
    expect(all.some(({ client }) => client === 'Lodestar')).toBe(true);
    for (const node of all) {
      expect(attnets(node)).toBe(node.client === 'Lodestar' ? 2 : 64);
      expect(subnets(node)).toEqual(Array.from({ length: 64 }, (_, subnet) => subnet));
    }
  });

  it('supernode 128, semi-supernode at least 64, Nimbus with an external validator client 4', () => {
    for (const node of withTrait('supernode')) expect(node.custodyGroupCount).toBe(128);
    for (const node of withTrait('semi-supernode')) expect(node.custodyGroupCount).toBeGreaterThanOrEqual(64);
    for (const node of withTrait('external-validator-client')) {
      expect([node.client, node.custodyGroupCount, node.validators > 0]).toEqual(['Nimbus', 4, true]);
    }
  });

  it('caplin: a custody group count of 0, which a record writes as no bytes', () => {
    for (const node of withTrait('caplin')) {
      expect(node.agent).toMatch(/^erigon\/caplin\//);
      expect(node.custodyGroupCount).toBe(0);
      expect(presenceAt(node, schedule, 10).entries.cgc.length).toBe(0);
    }
  });

  it('prefix-subnets: all of Lighthouse, and no rotation', () => {
    expect(withTrait('prefix-subnets').map((node) => node.client)).toEqual(
      nodes.filter((node) => node.client === 'Lighthouse').map((node) => node.client),
    );
    const [node] = withTrait('prefix-subnets').filter(({ traits }) => traits.length === 1);
    const first = Number(BigInt(`0x${node?.nodeId}`) >> 250n);
    for (const epoch of [10, 1_000, 100_000]) {
      expect(presenceAt(node as NodeTruth, schedule, epoch).longLived).toEqual([first, (first + 1) % 64]);
    }
  });
});

describe('the prefix rule', () => {
  it.each([
    [0n, [0, 1]],
    [88752428858350697756262172400162263450541348766581994718383409852729519486397n, [49, 50]],
    [18732750322395381632951253735273868184515463718109267674920115648614659369468n, [10, 11]],
    [27726842142488109545414954493849224833670205008410190955613662332153332462900n, [15, 16]],
    [BigInt(`0x${'a1b2c3d4'.repeat(8)}`), [40, 41]],
  ])('gives node %i %j, as Lighthouse has it', (nodeId, expected) => {
    expect(prefixSubnets(nodeId.toString(16).padStart(64, '0'))).toEqual(expected);
  });
});

describe('records', () => {
  it('say how a node can be reached, in at most 300 bytes', async () => {
    const block = await claimAddressBlock();
    const schedule = fuluSchedule(1);
    const ports: Record<string, string[]> = {
      tcp: ['ip', 'tcp', 'udp'],
      'mplex-only': ['ip', 'tcp', 'udp'],
      'quic-only': ['ip', 'quic', 'udp'],
      'ipv6-only': ['ip6', 'tcp6', 'udp6'],
      'dual-stack': ['ip', 'ip6', 'quic', 'quic6', 'tcp', 'tcp6', 'udp', 'udp6'],
      nat: [],
    };
    for (const node of draw(100, 1, true).filter(honest)) {
      const record = createRecord(node, presenceAt(node, schedule, 10), await endpointsOf(node, node.index, block));
      const published = ENR.decodeTxt(publishedRecord(record).encodeTxt());
      const where = [...published.kvs.keys()].filter((key) => /^(ip|tcp|udp|quic)6?$/.test(key));
      expect(where.toSorted()).toEqual(ports[node.reach]);
      expect(published.encode().length).toBeLessThanOrEqual(300);
    }
    await block.release();
  });
});

describe('acquaintances', () => {
  it('of nodes with IPv6 alone have it too, and nobody knows one behind a router', () => {
    const nodes = draw(200, 1, true);
    const known = acquaintances(nodes, 1);
    for (const [index, { reach }] of nodes.entries()) {
      const knowing = known.flatMap((others, other) => (others.includes(index) ? [nodes[other]?.reach] : []));
      if (reach === 'nat') expect(knowing).toEqual([]);
      else if (reach === 'ipv6-only') expect(new Set(knowing)).toEqual(new Set(['dual-stack']));
      else expect(knowing.length).toBeGreaterThanOrEqual(2);
      expect(known[index]?.length).toBeGreaterThanOrEqual(1);
    }
  });
});
