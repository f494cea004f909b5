import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ENR } from '@chainsafe/enr';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Devnet, startDevnet } from '../../src/devnet/devnet.ts';
import type { DevnetNode } from '../../src/devnet/network-file.ts';
import {
  exchange,
  framed,
  PING_0,
  type PlainPeer,
  plainPeer,
  protocol,
  statusBody,
  successOf,
} from '../support/devnet/plain-peer.ts';
import { tempDir } from '../support/temp-dir.ts';

const problems: string[] = [];
let dir: Awaited<ReturnType<typeof tempDir>>;
let devnet: Devnet;

beforeAll(async () => {
  dir = await tempDir();
  devnet = await startDevnet({
    nodes: 12,
    seed: 3,
    slotMs: 250,
    dir: dir.path,
    recordSubscriptions: true,
    onProblem: ({ during, error }) => problems.push(`${during}: ${error}`),
  });
});

afterAll(async () => {
  await devnet.stop();
  await dir.remove();
});

const nodeOf = (client: string): DevnetNode => {
  const found = devnet.network.nodes.find((node) => node.client === client);
  if (found === undefined) throw new Error(`no ${client} in this devnet`);
  return found;
};
const addressOf = (node: DevnetNode): string => node.multiaddrs[0] ?? '';
const identityOf = (peer: PlainPeer, node: DevnetNode) => {
  const identity = peer.identityOf(node.peer_id);
  if (identity === undefined) throw new Error('not identified yet');
  return identity;
};
const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
const uint64 = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};

/** Attestation subnets of each node by the last line written about it. */
async function recordedSubnets(): Promise<Map<string, number[]>> {
  const lines = (await readFile(join(dir.path, 'subscriptions.ndjson'), 'utf8')).split('\n').slice(0, -1);
  return new Map(lines.map((line) => JSON.parse(line)).map((entry) => [entry.peer_id, entry.subnets]));
}

describe('network.json', () => {
  it('is the truth that the devnet holds', async () => {
    expect(JSON.parse(await readFile(devnet.networkPath, 'utf8'))).toEqual(devnet.network);
    expect(devnet.network.nodes.map((node) => node.behaviour)).toEqual(Array(12).fill('honest'));
    expect(devnet.network.bootnodes).toEqual(devnet.network.nodes.slice(0, 3).map((node) => node.enr));
  });

  it('begins an epoch with the run, past the first epochs', () => {
    const { genesis_time_ms, slot_ms, slots_per_epoch } = devnet.network;
    const epochs = (Date.now() - genesis_time_ms) / (slot_ms * slots_per_epoch);
    expect(epochs).toBeGreaterThanOrEqual(10);
    expect(epochs).toBeLessThan(12);
  });

  it('has a digest that follows from its own forks and blob schedule', () => {
    const { forks, blob_schedule, genesis_validators_root, fork_digest } = devnet.network;
    const version = Buffer.from(forks.at(-1)?.version ?? '', 'hex');
    const base = sha256(version, Buffer.alloc(28), Buffer.from(genesis_validators_root, 'hex'));
    const blobs = blob_schedule.at(-1) ?? { epoch: -1, max_blobs: -1 };
    const mask = sha256(uint64(blobs.epoch), uint64(blobs.max_blobs));
    expect(fork_digest).toBe(((base.readUInt32BE(0) ^ mask.readUInt32BE(0)) >>> 0).toString(16).padStart(8, '0'));
  });

  it('has records that say what the nodes are', () => {
    for (const node of devnet.network.nodes) {
      const record = ENR.decodeTxt(node.enr);
      const value = (key: string) => Buffer.from(record.kvs.get(key) ?? []).toString('hex');
      expect(record.nodeId).toBe(node.node_id);
      expect(record.peerId.toString()).toBe(node.peer_id);
      expect(`${record.getLocationMultiaddr('tcp')}/p2p/${record.peerId}`).toBe(addressOf(node));
      expect(record.udp).toBe(record.tcp);
      expect(value('eth2')).toBe(`${devnet.network.fork_digest}0600da7affffffffffffffff`);
      expect(value('nfd')).toBe('00000000');
      expect(Number.parseInt(value('cgc'), 16)).toBe(node.custody_group_count);
      const attnets = Buffer.from(record.kvs.get('attnets') ?? []).readBigUInt64LE(0);
      expect(attnets).toBe(node.long_lived_subnets.reduce((bits, subnet) => bits | (1n << BigInt(subnet)), 0n));
      expect(record.encode().length).toBeLessThanOrEqual(300);
    }
  });
});

describe('a node, to a plain libp2p peer', () => {
  let peer: PlainPeer;
  beforeEach(async () => {
    peer = await plainPeer();
  });
  afterEach(async () => {
    await peer.libp2p.stop();
  });

  it.each(['Lighthouse', 'Prysm', 'Teku', 'Nimbus', 'Lodestar', 'Grandine'])(
    'introduces itself: %s',
    async (client) => {
      const node = nodeOf(client);
      const connection = await peer.dial(addressOf(node));
      const { agentVersion } = await vi.waitFor(() => identityOf(peer, node));
      expect(agentVersion).toBe(node.agent);
      expect(agentVersion?.toLowerCase().startsWith(client.toLowerCase())).toBe(true);
      expect(connection.multiplexer).toBe(client === 'Lodestar' ? '/mplex/6.7.0' : '/yamux/1.0.0');
    },
  );

  it('says what it is subscribed to, and goes on to say so', async () => {
    const node = devnet.network.nodes.toSorted((left, right) => right.validators - left.validators)[0] as DevnetNode;
    const { fork_digest } = devnet.network;
    await peer.dial(addressOf(node));
    await vi.waitFor(() => expect(peer.topicsOf(node.peer_id).size).toBeGreaterThan(0));

    const names = () =>
      [...peer.topicsOf(node.peer_id)].map((topic) => {
        const [, eth2, digest, name, encoding] = topic.split('/');
        expect([eth2, digest, encoding]).toEqual(['eth2', fork_digest, 'ssz_snappy']);
        return name ?? '';
      });
    const numbered = (prefix: string) =>
      names()
        .filter((name) => name.startsWith(prefix))
        .map((name) => Number(name.slice(prefix.length)))
        .toSorted((left, right) => left - right);

    expect(names()).toContain('beacon_block');
    expect(names()).toContain('beacon_aggregate_and_proof');
    expect(numbered('data_column_sidecar_').length).toBe(Math.max(8, node.custody_group_count));
    expect(numbered('beacon_attestation_')).toEqual(expect.arrayContaining([...node.long_lived_subnets]));

    const seen = new Set<string>();
    await vi.waitFor(
      async () => {
        const recorded = (await recordedSubnets()).get(node.peer_id);
        expect(numbered('beacon_attestation_')).toEqual(recorded);
        seen.add(String(recorded));
        expect(seen.size).toBeGreaterThan(2);
      },
      { timeout: 10_000, interval: 20 },
    );
  });

  it('answers status/2 with the head of its chain', async () => {
    const connection = await peer.dial(addressOf(nodeOf('Prysm')));
    const { fork_digest, genesis_time_ms, slot_ms } = devnet.network;
    const request = await statusRequest(fork_digest);
    const before = Math.floor((Date.now() - genesis_time_ms) / slot_ms);
    const status = await successOf(await exchange(connection, 'status/2', request));
    const after = Math.floor((Date.now() - genesis_time_ms) / slot_ms);
    expect(status.length).toBe(92);
    expect(status.toString('hex', 0, 4)).toBe(fork_digest);
    const head = Number(status.readBigUInt64LE(76));
    expect(head).toBeGreaterThanOrEqual(before);
    expect(head).toBeLessThanOrEqual(after);
    expect(Number(status.readBigUInt64LE(36))).toBe(Math.floor(head / 32) - 2);
    expect(connection.status).toBe('open');
  });

  it.each(['Lighthouse', 'Teku', 'Lodestar'])('answers metadata/3 and ping: %s', async (client) => {
    const node = nodeOf(client);
    const connection = await peer.dial(addressOf(node));
    const metaData = await successOf(await exchange(connection, 'metadata/3', ''));
    const attnets = node.long_lived_subnets.reduce((bits, subnet) => bits | (1n << BigInt(subnet)), 0n);
    expect(metaData.length).toBe(25);
    expect(metaData.readBigUInt64LE(0)).toBe(1n);
    expect(metaData.readBigUInt64LE(8)).toBe(attnets);
    expect(metaData.readBigUInt64LE(17)).toBe(BigInt(node.custody_group_count));
    const pong = await exchange(connection, 'ping/1', PING_0);
    expect((await successOf(pong)).readBigUInt64LE(0)).toBe(1n);
  });

  it.each([
    ['Lighthouse', ['status/1', 'status/2', 'metadata/1', 'metadata/2', 'metadata/3']],
    ['Teku', ['status/1', 'status/2', 'metadata/3']],
    ['Prysm', ['status/2', 'metadata/3']],
    ['Nimbus', ['status/2', 'metadata/3']],
    ['Lodestar', ['status/2', 'metadata/3']],
    ['Grandine', ['status/2', 'metadata/3']],
  ])('speaks what %s speaks, and no more', async (client, methods) => {
    const node = nodeOf(client);
    await peer.dial(addressOf(node));
    const { protocols } = await vi.waitFor(() => identityOf(peer, node));
    const served = protocols.filter((id) => /req\/(status|metadata)/.test(id));
    expect(served.toSorted()).toEqual(methods.map(protocol).toSorted());
  });

  it('serves the shorter forms of Lighthouse', async () => {
    const node = nodeOf('Lighthouse');
    const connection = await peer.dial(addressOf(node));
    const full = await successOf(await exchange(connection, 'metadata/3', ''));
    expect(await successOf(await exchange(connection, 'metadata/2', ''))).toEqual(full.subarray(0, 17));
    // Two are all that Lighthouse allows one peer in 5 s.
    const another = await plainPeer();
    const second = await another.dial(addressOf(node));
    expect(await successOf(await exchange(second, 'metadata/1', ''))).toEqual(full.subarray(0, 16));
    await another.libp2p.stop();
  });

  it('answers an empty request at once, or after the asker has closed its side if it is Teku', async () => {
    const open = async (client: string) => {
      const connection = await peer.dial(addressOf(nodeOf(client)));
      const stream = await connection.newStream(protocol('metadata/3'));
      return { connection, stream, first: stream.source.next() };
    };
    const lighthouse = await open('Lighthouse');
    expect((await lighthouse.first).value?.subarray()[0]).toBe(0);

    const teku = await open('Teku');
    let answered = false;
    const done = teku.first.finally(() => {
      answered = true;
    });
    await exchange(teku.connection, 'ping/1', PING_0);
    expect(answered).toBe(false);
    await teku.stream.closeWrite();
    expect((await done).value?.subarray()[0]).toBe(0);
  });

  it('closes when told goodbye, or only takes it down, as Nimbus does', async () => {
    const toNimbus = await peer.dial(addressOf(nodeOf('Nimbus')));
    await exchange(toNimbus, 'goodbye/1', await framed(uint64(1)));
    const toTeku = await peer.dial(addressOf(nodeOf('Teku')));
    await exchange(toTeku, 'goodbye/1', await framed(uint64(1)));
    await vi.waitFor(() => expect(toTeku.status).toBe('closed'));
    expect(toNimbus.status).toBe('open');
  });

  it('says goodbye 2 to a peer of another fork, after answering it', async () => {
    const connection = await peer.dial(addressOf(nodeOf('Teku')));
    const status = await successOf(await exchange(connection, 'status/2', await statusRequest('8c9f62fe')));
    expect(status.toString('hex', 0, 4)).toBe(devnet.network.fork_digest);
    await vi.waitFor(() => expect(peer.requests).toContainEqual({ method: 'goodbye/1', ssz: '0200000000000000' }));
    await vi.waitFor(() => expect(connection.status).toBe('closed'));
  });

  it('asks for what its client asks for at once', async () => {
    await peer.dial(addressOf(nodeOf('Nimbus')));
    await peer.dial(addressOf(nodeOf('Lighthouse')));
    await vi.waitFor(() => {
      const asked = peer.requests.map((request) => request.method);
      expect(asked).toContain('status/2');
      expect(asked).toContain('metadata/3');
    });
  });
});

describe('a node, to a peer that misbehaves', () => {
  it('says what is wrong, gives up on the rest, and serves the next', async () => {
    // Of the six, Teku is not known to count requests.
    const node = nodeOf('Teku');
    const peer = await plainPeer();
    const connection = await peer.dial(addressOf(node));

    const [result] = await exchange(connection, 'status/2', `5c${'ab'.repeat(40)}`);
    expect(result).toBe(1);
    await exchange(connection, 'status/2', 'ff'.repeat(12)).then(([code]) => expect(code).toBe(1));
    const truncated = exchange(connection, 'ping/1', '08ff0600');
    await expect(truncated).rejects.toThrow();
    const abandoned = await connection.newStream(protocol('ping/1'));
    abandoned.abort(new Error('changed my mind'));

    const { host, port } = connection.remoteAddr.toOptions();
    const socket = connect({ host, port });
    await once(socket, 'connect');
    socket.end('\x13GET / HTTP/1.1\r\n\r\n');
    await once(socket.resume(), 'close');

    const pong = await exchange(connection, 'ping/1', await framed(uint64(0)));
    expect((await successOf(pong)).length).toBe(8);
    await vi.waitFor(() => expect(problems.length).toBeGreaterThanOrEqual(4));
    await peer.libp2p.stop();
  });
});

function statusRequest(digest: string): Promise<string> {
  return framed(statusBody(digest));
}
