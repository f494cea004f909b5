import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ENR } from '@chainsafe/enr';
import type { Connection, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import ipaddr from 'ipaddr.js';
import { uncompressSync } from 'snappy';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Devnet, startDevnet } from '../../src/devnet/devnet.ts';
import { FAULTS, type Fault } from '../../src/devnet/faults.ts';
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

/** What each fault puts on the wire, as a peer sees it that shares nothing with the devnet but libp2p. */

let dir: Awaited<ReturnType<typeof tempDir>>;
let devnet: Devnet;
let peer: PlainPeer;

beforeAll(async () => {
  dir = await tempDir();
  devnet = await startDevnet({ nodes: 80, seed: 2, slotMs: 1_000, dir: dir.path, faults: true });
});
afterAll(async () => {
  await devnet.stop();
  await dir.remove();
});
beforeEach(async () => {
  peer = await plainPeer();
});
afterEach(async () => {
  await peer.libp2p.stop();
});

const faulty = (fault: Fault): DevnetNode => {
  const found = devnet.network.nodes.find((node) => node.behaviour === fault);
  if (found === undefined) throw new Error(`nobody is ${fault}`);
  return found;
};
const dial = (node: DevnetNode): Promise<Connection> => peer.dial(node.multiaddrs[0] ?? '');
const status = async (connection: Connection) =>
  await exchange(connection, 'status/2', await framed(statusBody(devnet.network.fork_digest)));
const metaData = (connection: Connection) => exchange(connection, 'metadata/3', '');
const topics = async (node: DevnetNode, count = 1): Promise<string[]> => {
  await vi.waitFor(() => expect(peer.topicsOf(node.peer_id).size).toBeGreaterThanOrEqual(count), { timeout: 5_000 });
  return [...peer.topicsOf(node.peer_id)];
};
const nameOf = (topic: string) => topic.split('/')[3] ?? '';
/** The name of the error that something ends in. */
const errorOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof Error ? error.name : 'odd'),
  );

/** A request whose answer is read piece by piece. */
async function open(connection: Connection, method: string, sent: string): Promise<Stream> {
  const stream = await connection.newStream(protocol(method));
  await stream.sink(sent === '' ? [] : [Buffer.from(sent, 'hex')]);
  return stream;
}
async function take(stream: Stream, count: number): Promise<Buffer> {
  let received = Buffer.alloc(0);
  while (received.length < count) {
    const { value, done } = await stream.source.next();
    if (done === true) break;
    received = Buffer.concat([received, value.subarray()]);
  }
  return received;
}

async function rawSocket(node: DevnetNode): Promise<{ socket: Socket; ended: Promise<string> }> {
  const { host, port } = multiaddr(node.multiaddrs[0] ?? '').toOptions();
  const socket = connect({ host, port });
  const ended = new Promise<string>((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    socket.on('close', () => resolve('closed'));
  });
  return { socket, ended };
}
const MULTISTREAM_NOISE = Buffer.from('\x13/multistream/1.0.0\n\x07/noise\n');

describe('every fault', () => {
  it('is there, described, with what a crawler should name', () => {
    for (const [fault, { does, stage, causes }] of Object.entries(FAULTS)) {
      expect(faulty(fault as Fault).behaviour).toBe(fault);
      expect(fault).toMatch(/^[a-z]+(-[a-z]+)*$/);
      for (const text of [does, stage, ...causes]) expect(text.length).toBeGreaterThan(2);
    }
    expect(Object.keys(FAULTS).length).toBeGreaterThanOrEqual(15);
  });
});

describe('in the record', () => {
  it('short-attnets', () => {
    expect(ENR.decodeTxt(faulty('short-attnets').enr).kvs.get('attnets')?.length).toBe(4);
  });

  it('private-address: not loopback, not public, and never beyond this machine', () => {
    const record = ENR.decodeTxt(faulty('private-address').enr);
    const address = record.ip ?? record.ip6 ?? '';
    expect(ipaddr.parse(address).range()).toMatch(
      /^(private|uniqueLocal|linkLocal|carrierGradeNat|reserved|broadcast)$/,
    );
    const own = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses.map((own) => own.address));
    expect(own.includes(address) || address === '255.255.255.255').toBe(true);
    expect([record.udp, record.udp6]).toEqual([undefined, undefined]);
  });

  it('wrong-fork, unknown-digest and all others claim our digest', () => {
    for (const node of devnet.network.nodes) {
      const eth2 = Buffer.from(ENR.decodeTxt(node.enr).kvs.get('eth2') ?? []);
      expect(eth2.toString('hex', 0, 4)).toBe(devnet.network.fork_digest);
    }
  });
});

describe('before there is a connection', () => {
  it('refuses-dials', async () => {
    expect(await (await rawSocket(faulty('refuses-dials'))).ended).toBe('ECONNREFUSED');
  });

  it('reset-at-dial', async () => {
    expect(await (await rawSocket(faulty('reset-at-dial'))).ended).toBe('ECONNRESET');
  });

  it('reset-at-security', async () => {
    const { socket, ended } = await rawSocket(faulty('reset-at-security'));
    socket.write(MULTISTREAM_NOISE);
    const [answer] = await once(socket, 'data');
    expect(answer).toEqual(MULTISTREAM_NOISE);
    socket.write(Buffer.alloc(34, 7));
    expect(await ended).toBe('ECONNRESET');
    expect(await errorOf(dial(faulty('reset-at-security')))).not.toBe('none');
  });

  it('silent', async () => {
    const { socket } = await rawSocket(faulty('silent'));
    await once(socket, 'connect');
    const heard: Buffer[] = [];
    socket.on('data', (data) => heard.push(data));
    socket.write(MULTISTREAM_NOISE);
    // While another goes through a whole handshake and more.
    await status(await dial(faulty('wrong-fork')));
    expect([heard, socket.readyState]).toEqual([[], 'open']);
    socket.destroy();
  });

  it('wrong-peer-id', async () => {
    const node = faulty('wrong-peer-id');
    const connection = await peer.dial((node.multiaddrs[0] ?? '').replace(/\/p2p\/.*/, ''));
    expect(connection.remotePeer.toString()).not.toBe(node.peer_id);
  });

  it('reset-at-mux', async () => {
    expect(await errorOf(dial(faulty('reset-at-mux')))).toBe('MuxerUnavailableError');
  });
});

describe('on a connection', () => {
  it('reset-at-identify: and everything else goes on', async () => {
    const node = faulty('reset-at-identify');
    const connection = await dial(node);
    const stream = await connection.newStream('/ipfs/id/1.0.0');
    expect(await errorOf(take(stream, 1))).toBe('StreamResetError');
    expect((await successOf(await metaData(connection))).length).toBe(25);
    expect(await topics(node)).not.toEqual([]);
    expect(peer.identityOf(node.peer_id)).toBeUndefined();
  });

  it('too-many-peers: Goodbye 129, after saying who it is', async () => {
    const node = faulty('too-many-peers');
    const connection = await dial(node);
    await vi.waitFor(() => expect(peer.requests).toContainEqual({ method: 'goodbye/1', ssz: '8100000000000000' }));
    await vi.waitFor(() => expect(connection.status).toBe('closed'));
    expect(peer.identityOf(node.peer_id)?.agentVersion).toBe(node.agent);
  });

  it('wrong-fork: in Status and in topics', async () => {
    const node = faulty('wrong-fork');
    const answer = await successOf(await status(await dial(node)));
    const digest = answer.toString('hex', 0, 4);
    expect(digest).not.toBe(devnet.network.fork_digest);
    for (const topic of await topics(node)) expect(topic.split('/')[2]).toBe(digest);
    await vi.waitFor(() => expect(peer.requests).toContainEqual({ method: 'goodbye/1', ssz: '0200000000000000' }));
  });
});

describe('in requests', () => {
  it('reset-at-status, and MetaData is answered', async () => {
    const connection = await dial(faulty('reset-at-status'));
    expect(await errorOf(status(connection))).toMatch(/Reset|Closed|Abort/);
    expect((await successOf(await metaData(connection))).length).toBe(25);
  });

  it('reset-at-metadata, and Status is answered', async () => {
    const connection = await dial(faulty('reset-at-metadata'));
    expect(await errorOf(metaData(connection))).toMatch(/Reset|Closed|Abort/);
    expect((await successOf(await status(connection))).length).toBe(92);
  });

  it('never-answers', async () => {
    const connection = await dial(faulty('never-answers'));
    const asked = [await open(connection, 'status/2', await framed(statusBody(devnet.network.fork_digest)))];
    asked.push(await open(connection, 'metadata/3', ''), await open(connection, 'ping/1', PING_0));
    const heard: string[] = [];
    for (const stream of asked) {
      take(stream, 1).then(
        () => heard.push('answer'),
        () => heard.push('end'),
      );
    }
    await status(await dial(faulty('wrong-checksum')));
    expect(heard).toEqual([]);
  });

  it('one-byte-a-second', async () => {
    const stream = await open(
      await dial(faulty('one-byte-a-second')),
      'status/2',
      await framed(statusBody(devnet.network.fork_digest)),
    );
    const first = await take(stream, 1);
    const beginMs = performance.now();
    const second = await take(stream, 1);
    expect(performance.now() - beginMs).toBeGreaterThan(900);
    // A result of 0 and a length of 92: the beginning of an honest answer.
    expect(Buffer.concat([first, second]).toString('hex')).toBe('005c');
    stream.abort(new Error('enough'));
  });

  it('endless-response: frames to be skipped, one after another', async () => {
    const stream = await open(
      await dial(faulty('endless-response')),
      'status/2',
      await framed(statusBody(devnet.network.fork_digest)),
    );
    const received = await take(stream, 12 + 3 * 1_004);
    expect(received.toString('hex', 0, 12)).toBe('005cff060000734e61507059');
    for (let frame = 0; frame < 3; frame++) {
      expect(received.toString('hex', 12 + frame * 1_004, 16 + frame * 1_004)).toBe('fee80300');
    }
    stream.abort(new Error('enough'));
  });

  it('head-slot-overflow', async () => {
    const answer = await successOf(await status(await dial(faulty('head-slot-overflow'))));
    expect(answer.readBigUInt64LE(76)).toBe(2n ** 64n - 1n);
    expect(answer.toString('hex', 0, 4)).toBe(devnet.network.fork_digest);
  });

  it('metadata-one-gigabyte', async () => {
    const answer = await metaData(await dial(faulty('metadata-one-gigabyte')));
    // 2^30 as a varint: four bytes with no bits but the sign to go on, then 1 << 2.
    expect(answer.toString('hex', 0, 16)).toBe('008080808004ff060000734e61507059');
  });

  it('snappy-bomb: 64 MB in 3', async () => {
    const answer = await metaData(await dial(faulty('snappy-bomb')));
    expect(answer.toString('hex', 0, 12)).toBe('0019ff060000734e61507059');
    expect(answer.length).toBeLessThan(4_000_000);
    let plainBytes = 0;
    for (let at = 12; at < answer.length; at += 4 + answer.readUIntLE(at + 1, 3)) {
      expect(answer[at]).toBe(0);
      const data = answer.subarray(at + 8, at + 4 + answer.readUIntLE(at + 1, 3));
      plainBytes += uncompressSync(data).length;
    }
    expect(plainBytes).toBe(65_536_000);
  });

  it('wrong-checksum', async () => {
    const answer = await metaData(await dial(faulty('wrong-checksum')));
    expect(answer.toString('hex', 0, 12)).toBe('0019ff060000734e61507059');
    expect(uncompressSync(answer.subarray(20)).length).toBe(25);
    await expect(successOf(answer)).rejects.toThrow();
  });
});

describe('in gossip', () => {
  it('reset-at-subscriptions: no hello, and everything else is answered', async () => {
    const node = faulty('reset-at-subscriptions');
    const connection = await dial(node);
    const stream = await connection.newStream('/meshsub/1.1.0');
    expect(await errorOf(take(stream, 1))).toBe('StreamResetError');
    expect((await successOf(await status(connection))).length).toBe(92);
    expect((await successOf(await metaData(connection))).length).toBe(25);
    expect(peer.topicsOf(node.peer_id).size).toBe(0);
  });

  it('topic-without-number', async () => {
    const node = faulty('topic-without-number');
    await dial(node);
    const names = (await topics(node)).map(nameOf);
    expect(names).toEqual(expect.arrayContaining(['beacon_attestation_', 'beacon_attestation', 'sync_committee_']));
    expect(names).toContain(`beacon_attestation_${node.long_lived_subnets[0]}`);
  });

  it('subnet-out-of-range', async () => {
    const node = faulty('subnet-out-of-range');
    await dial(node);
    const names = (await topics(node)).map(nameOf);
    expect(names).toEqual(
      expect.arrayContaining(['beacon_attestation_99999', 'beacon_attestation_64', 'data_column_sidecar_128']),
    );
  });

  it('unknown-digest', async () => {
    const node = faulty('unknown-digest');
    await dial(node);
    expect(new Set((await topics(node)).map((topic) => topic.split('/')[2]))).toEqual(new Set(['deadbeef']));
  });

  it('ten-thousand-subscriptions, besides its own', async () => {
    const node = faulty('ten-thousand-subscriptions');
    await dial(node);
    const names = (await topics(node, 10_000)).map(nameOf);
    expect(names.filter((name) => name.startsWith('nothing_')).length).toBe(10_000);
    expect(names).toContain(`beacon_attestation_${node.long_lived_subnets[0]}`);
  });
});
