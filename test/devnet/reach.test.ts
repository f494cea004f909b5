import { ENR, SignableENR } from '@chainsafe/enr';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection } from '@libp2p/interface';
import { mplex } from '@libp2p/mplex';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Devnet, startDevnet } from '../../src/devnet/devnet.ts';
import type { Reach } from '../../src/devnet/kinds.ts';
import type { DevnetNode } from '../../src/devnet/network-file.ts';
import { exchange, type PlainPeer, plainPeersForEachTest, successOf } from '../support/devnet/plain-peer.ts';
import { tempDir } from '../support/temp-dir.ts';

const EPOCH_MS = 3_200;
let dir: Awaited<ReturnType<typeof tempDir>>;
let devnet: Devnet;
const { startPeer, startDiscovery, startListener } = plainPeersForEachTest();

beforeAll(async () => {
  dir = await tempDir();
  devnet = await startDevnet({
    nodes: 80,
    seed: 4,
    slotMs: EPOCH_MS / 32,
    dir: dir.path,
    faults: true,
    manners: 'lenient',
  });
});
afterAll(async () => {
  await devnet.stop();
  await dir.remove();
});
const honest = (reach: Reach): DevnetNode[] => {
  const found = devnet.network.nodes.filter((node) => node.behaviour === 'honest' && node.reach === reach);
  if (found.length === 0) throw new Error(`nobody is ${reach}`);
  return found;
};

/** What is wanted of an observation: who it is, what it is subscribed to, what it says. */
async function observe(peer: PlainPeer, node: DevnetNode, address: string): Promise<Connection> {
  const connection = await peer.dial(address);
  expect(connection.remotePeer.toString()).toBe(node.peer_id);
  await vi.waitFor(() => {
    expect(peer.topicsOf(node.peer_id).size).toBeGreaterThan(0);
    expect(peer.identityOf(node.peer_id)?.agentVersion).toBe(node.agent);
  });
  expect((await successOf(await exchange(connection, 'metadata/3', ''))).length).toBe(25);
  return connection;
}

describe('an honest node', () => {
  it.each([
    ['quic-only', 1, /^\/ip4\/127\.[\d.]+\/udp\/\d+\/quic-v1\/p2p\//],
    ['ipv6-only', 1, /^\/ip6\/::1\/tcp\/\d+\/p2p\//],
    ['mplex-only', 1, /^\/ip4\/127\.[\d.]+\/tcp\/\d+\/p2p\//],
    ['dual-stack', 4, /^\/ip[46]\//],
    ['nat', 0, /./],
  ] as const)('that is %s has %i addresses and can be observed at each', async (reach, count, shape) => {
    for (const node of honest(reach)) {
      expect(node.multiaddrs.length).toBe(count);
      for (const address of node.multiaddrs) {
        expect(address).toMatch(shape);
        await observe(await startPeer({ withQuic: true }), node, address);
      }
    }
  });

  it('that has mplex alone speaks no yamux', async () => {
    const [node] = honest('mplex-only').filter(({ client }) => client !== 'Lodestar');
    const connection = await (await startPeer()).dial(node?.multiaddrs[0] ?? '');
    expect(connection.multiplexer).toBe('/mplex/6.7.0');
    const [other] = honest('tcp');
    const usual = await (await startPeer({ muxers: [mplex()] })).dial(other?.multiaddrs[0] ?? '');
    expect(usual.multiplexer).toBe('/mplex/6.7.0');
  });

  it('with IPv6 alone is found by a crawler with IPv4 alone, in the tables of those that have both', async () => {
    const privateKey = await generateKeyPair('secp256k1');
    const discovery = await startDiscovery(SignableENR.createFromPrivateKey(privateKey), privateKey);
    const found = new Set<string>();
    for (const node of honest('dual-stack')) {
      const enr = ENR.decodeTxt(node.enr);
      for (const distance of [256, 255, 254, 253, 252, 251]) {
        for (const record of await discovery.sendFindNode(enr, [distance])) found.add(record.encodeTxt());
      }
    }
    for (const node of honest('ipv6-only')) expect(found).toContain(node.enr);
  });
});

describe('a node behind a router', () => {
  it('finds a stranger through discv5, dials it, introduces itself, and comes back in the next epoch', async () => {
    const eth2 = ENR.decodeTxt(devnet.network.nodes[0]?.enr ?? '').kvs.get('eth2') ?? new Uint8Array();
    const { peer, discovery } = await startListener(eth2);

    const visits = new Map<string, number>();
    const open = new Map<string, number>();
    let mostAtOnce = 0;
    peer.libp2p.addEventListener('connection:open', ({ detail: { remotePeer } }) => {
      const id = remotePeer.toString();
      visits.set(id, (visits.get(id) ?? 0) + 1);
      open.set(id, (open.get(id) ?? 0) + 1);
      mostAtOnce = Math.max(mostAtOnce, open.get(id) ?? 0);
    });
    peer.libp2p.addEventListener('connection:close', ({ detail: { remotePeer } }) => {
      open.set(remotePeer.toString(), (open.get(remotePeer.toString()) ?? 1) - 1);
    });

    // Whom it asks, those learn of it.
    for (const node of devnet.network.nodes) {
      const record = ENR.decodeTxt(node.enr);
      if (record.ip !== undefined && record.udp !== undefined) await discovery.sendFindNode(record, [0]);
    }
    const hidden = honest('nat').map((node) => node.peer_id);
    await vi.waitFor(() => expect([...visits.keys()].toSorted()).toEqual(hidden.toSorted()), { timeout: 15_000 });
    await vi.waitFor(() => {
      for (const id of hidden) expect(peer.topicsOf(id).size).toBeGreaterThan(0);
      expect(peer.requests.map(({ method }) => method)).toEqual(expect.arrayContaining(['status/2', 'metadata/3']));
    });
    const [status] = peer.requests.filter(({ method }) => method === 'status/2');
    expect(status?.ssz.slice(0, 8)).toBe(devnet.network.fork_digest);

    await Promise.all(peer.libp2p.getConnections().map((connection) => connection.close()));
    await vi.waitFor(
      () => {
        for (const id of hidden) expect(visits.get(id)).toBeGreaterThanOrEqual(2);
      },
      { timeout: 3 * EPOCH_MS },
    );
    expect(mostAtOnce).toBe(1);
  });
});
