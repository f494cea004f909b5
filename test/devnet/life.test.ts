import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Discv5 } from '@chainsafe/discv5';
import { ENR, SignableENR } from '@chainsafe/enr';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { multiaddr } from '@multiformats/multiaddr';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Devnet, type DevnetOptions, startDevnet } from '../../src/devnet/devnet.ts';
import type { DevnetFile } from '../../src/devnet/network-file.ts';
import { forkDigest, fuluSchedule } from '../../src/devnet/schedule.ts';
import { exchange, framed, plainPeer, statusBody, successOf } from '../support/devnet/plain-peer.ts';
import { tempDir } from '../support/temp-dir.ts';

const started: Devnet[] = [];
let runs = 0;
let dir: Awaited<ReturnType<typeof tempDir>>;

async function start(options: Partial<DevnetOptions> = {}): Promise<Devnet> {
  const devnet = await startDevnet({ nodes: 4, seed: 1, slotMs: 250, dir: join(dir.path, `${runs++}`), ...options });
  started.push(devnet);
  return devnet;
}

beforeEach(async () => {
  dir = await tempDir();
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((devnet) => devnet.stop()));
  await dir.remove();
});

/** What the seed decides: all but when and where. */
function seeded({ nodes, genesis_time_ms, bootnodes, ...rest }: DevnetFile) {
  return { ...rest, nodes: nodes.map(({ enr, multiaddrs, ...node }) => node) };
}

describe('devnets', () => {
  it('live side by side, and are equal for the same seed but for their addresses', async () => {
    const [one, other] = await Promise.all([start(), start()]);
    expect(seeded(one.network)).toEqual(seeded(other.network));
    const addresses = [one, other].flatMap((devnet) => devnet.network.nodes.flatMap((node) => node.multiaddrs));
    expect(new Set(addresses.map((address) => address.split('/')[2])).size).toBe(8);
  });

  it('differ in everything for another seed', async () => {
    const [one, other] = await Promise.all([start({ seed: 1 }), start({ seed: 2 })]);
    expect(one.network.fork_digest).not.toBe(other.network.fork_digest);
    expect(one.network.nodes.map((node) => node.peer_id)).not.toEqual(other.network.nodes.map((node) => node.peer_id));
  });

  it('of a single node are possible, of none are not', async () => {
    const { network } = await start({ nodes: 1 });
    expect(network.bootnodes.length).toBe(1);
    await expect(start({ nodes: 0 })).rejects.toThrow(RangeError);
  });
});

describe('a scheduled fork', () => {
  it('changes digest, records, topics and network.json when its epoch comes', async () => {
    const base = fuluSchedule(1);
    const schedule = {
      ...base,
      forks: [...base.forks, { name: 'gloas', epoch: 12, version: '0700da7a' }],
    };
    const before = forkDigest(schedule, 11);
    const after = forkDigest(schedule, 12);
    expect(before).not.toBe(after);

    const devnet = await start({ schedule, slotMs: 25 });
    const [node] = devnet.network.nodes;
    const announced = ENR.decodeTxt(node?.enr ?? '');
    expect(devnet.network.fork_digest).toBe(before);
    expect(Buffer.from(announced.kvs.get('eth2') ?? []).toString('hex')).toBe(`${before}0700da7a0c00000000000000`);
    expect(Buffer.from(announced.kvs.get('nfd') ?? []).toString('hex')).toBe(after);

    const peer = await plainPeer();
    const connection = await peer.dial(node?.multiaddrs[0] ?? '');
    const digests = () => new Set([...peer.topicsOf(node?.peer_id ?? '')].map((topic) => topic.split('/')[2]));
    await vi.waitFor(() => expect(digests()).toEqual(new Set([before, after])), { timeout: 5000, interval: 10 });
    await vi.waitFor(() => expect(digests()).toEqual(new Set([after])), { timeout: 5000, interval: 10 });

    await vi.waitFor(async () => {
      const network = JSON.parse(await readFile(devnet.networkPath, 'utf8')) as DevnetFile;
      const changed = ENR.decodeTxt(network.nodes[0]?.enr ?? '');
      expect(network.fork_digest).toBe(after);
      expect(changed.seq).toBe(announced.seq + 1n);
      expect(Buffer.from(changed.kvs.get('eth2') ?? []).toString('hex')).toBe(`${after}0700da7affffffffffffffff`);
      expect(network).toEqual(devnet.network);
    });
    // Subnets have not changed, and so neither has MetaData.
    const metaData = await successOf(await exchange(connection, 'metadata/3', ''));
    expect(metaData.readBigUInt64LE(0)).toBe(1n);
    await peer.libp2p.stop();

    // Others have the new record too: the second node is the first one's neighbour.
    const neighbour = ENR.decodeTxt(devnet.network.nodes[1]?.enr ?? '');
    const privateKey = await generateKeyPair('secp256k1');
    const discovery = Discv5.create({
      enr: SignableENR.createFromPrivateKey(privateKey),
      privateKey,
      bindAddrs: { ip4: multiaddr('/ip4/127.0.0.1/udp/0') },
    });
    await discovery.start();
    const known = await discovery.sendFindNode(neighbour, [256, 255, 254, 253, 252, 251]);
    expect(known.map((record) => record.encodeTxt())).toContain(devnet.network.nodes[0]?.enr);
    await discovery.stop();
  });
});

describe('forkIn', () => {
  it('crosses a regular fork and a change of blob parameters alone: records, topics, Status, network.json', async () => {
    const devnet = await start({ nodes: 3, slotMs: 40, forkIn: { regularAtEpoch: 12, blobAtEpoch: 14 } });
    const { forks, blob_schedule, genesis_validators_root } = devnet.network;
    expect(forks.at(-1)).toEqual({ name: 'gloas', epoch: 12, version: '0700da7a' });
    expect(blob_schedule).toEqual([
      { epoch: 0, max_blobs: 15 },
      { epoch: 14, max_blobs: 21 },
    ]);
    const digestOf = (version: string, blobs: { epoch: number; max_blobs: number }) => {
      const base = sha256(Buffer.from(version, 'hex'), Buffer.alloc(28), Buffer.from(genesis_validators_root, 'hex'));
      const mask = sha256(uint64(blobs.epoch), uint64(blobs.max_blobs));
      return ((base.readUInt32BE(0) ^ mask.readUInt32BE(0)) >>> 0).toString(16).padStart(8, '0');
    };
    const fulu = digestOf('0600da7a', { epoch: 0, max_blobs: 15 });
    const gloas = digestOf('0700da7a', { epoch: 0, max_blobs: 15 });
    const moreBlobs = digestOf('0700da7a', { epoch: 14, max_blobs: 21 });

    const [node] = devnet.network.nodes;
    const peer = await plainPeer();
    await peer.dial(node?.multiaddrs[0] ?? '');
    const heard = new Set<string>();
    const records = new Set<string>();
    await vi.waitFor(
      () => {
        const digests = new Set([...peer.topicsOf(node?.peer_id ?? '')].map((topic) => topic.split('/')[2]));
        if (digests.size > 0) heard.add([...digests].toSorted().join());
        const { kvs, seq } = ENR.decodeTxt(devnet.network.nodes[0]?.enr ?? '');
        const [eth2, nfd] = ['eth2', 'nfd'].map((key) => Buffer.from(kvs.get(key) ?? []).toString('hex'));
        records.add(`${seq} ${eth2} ${nfd}`);
        expect(devnet.network.fork_digest).toBe(moreBlobs);
        expect(digests).toEqual(new Set([moreBlobs]));
      },
      { timeout: 15_000, interval: 10 },
    );
    const both = (...digests: string[]) => digests.toSorted().join();
    // Topics change one message at a time, additions first: in between a look may find what goes beside what comes.
    const settled = [...heard].filter((digests) => digests !== both(fulu, gloas, moreBlobs));
    expect(settled).toEqual([fulu, both(fulu, gloas), both(gloas, moreBlobs), moreBlobs]);
    expect([...records]).toEqual([
      `1 ${fulu}0700da7a0c00000000000000 ${gloas}`,
      `2 ${gloas}0700da7a0e00000000000000 ${moreBlobs}`,
      `3 ${moreBlobs}0700da7affffffffffffffff 00000000`,
    ]);
    const connection = await peer.dial(node?.multiaddrs[0] ?? '');
    const request = await framed(statusBody(moreBlobs));
    const status = await successOf(await exchange(connection, 'status/2', request));
    expect(status.toString('hex', 0, 4)).toBe(moreBlobs);
    await peer.libp2p.stop();
  });

  it('needs epochs that are ahead', async () => {
    await expect(start({ forkIn: { regularAtEpoch: 10 } })).rejects.toThrow(/regularAtEpoch must be an epoch after 10/);
    await expect(start({ forkIn: { blobAtEpoch: 12.5 } })).rejects.toThrow(RangeError);
  });
});

function sha256(...parts: Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
