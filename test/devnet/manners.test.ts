import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Devnet, startDevnet } from '../../src/devnet/devnet.ts';
import {
  exchange,
  framed,
  PING_0,
  type PlainPeer,
  plainPeersForEachTest,
  statusBody,
} from '../support/devnet/plain-peer.ts';
import { tempDir } from '../support/temp-dir.ts';

/** What clients do about peers that do not behave, on the wire; deadlines are in conduct.test.ts, in virtual time. */

let dir: Awaited<ReturnType<typeof tempDir>>;
let devnet: Devnet;
const { startPeer } = plainPeersForEachTest();

beforeAll(async () => {
  dir = await tempDir();
  devnet = await startDevnet({ nodes: 16, seed: 1, slotMs: 1_000, dir: dir.path, manners: 'lenient' });
});
afterAll(async () => {
  await devnet.stop();
  await dir.remove();
});
const addressOf = (client: string): string =>
  devnet.network.nodes.find((node) => node.client === client)?.multiaddrs[0] ?? `no ${client}`;

/** Waits until the node has said Goodbye with this reason. */
async function goodbye({ requests }: PlainPeer, reason: number): Promise<void> {
  const ssz = reason.toString(16).padStart(2, '0').padEnd(16, '0');
  await vi.waitFor(() => expect(requests).toContainEqual({ method: 'goodbye/1', ssz }), { timeout: 5_000 });
}
async function metaDataWith(custodyGroupCount: bigint): Promise<string> {
  const body = Buffer.alloc(25);
  body.writeBigUInt64LE(1n);
  body.writeBigUInt64LE(custodyGroupCount, 17);
  return `00${await framed(body)}`;
}

describe('Lighthouse', () => {
  it.each([0n, 3n, 129n, 2n ** 64n - 1n])('says Goodbye 3 to a custody group count of %i', async (count) => {
    const peer = await startPeer({ responses: { 'metadata/3': await metaDataWith(count) } });
    await peer.dial(addressOf('Lighthouse'));
    await goodbye(peer, 3);
  });

  it.each([4n, 128n])('stays with a custody group count of %i', async (count) => {
    const peer = await startPeer({ responses: { 'metadata/3': await metaDataWith(count) } });
    const connection = await peer.dial(addressOf('Lighthouse'));
    await vi.waitFor(() => expect(peer.requests.map(({ method }) => method)).toContain('metadata/3'));
    const [result] = await exchange(connection, 'ping/1', PING_0);
    expect([result, connection.status]).toEqual([0, 'open']);
  });

  it('bans a peer that speaks no MetaData, and says so when it comes again', async () => {
    const peer = await startPeer({ responses: { 'metadata/3': null } });
    const connection = await peer.dial(addressOf('Lighthouse'));
    await goodbye(peer, 3);
    await vi.waitFor(() => expect(connection.status).toBe('closed'));
    await peer.dial(addressOf('Lighthouse'));
    await goodbye(peer, 251);
  });

  it('bans a peer whose MetaData is malformed', async () => {
    const peer = await startPeer({ responses: { 'metadata/3': `0019abcdef${'ab'.repeat(40)}` } });
    await peer.dial(addressOf('Lighthouse'));
    await goodbye(peer, 3);
    await peer.dial(addressOf('Lighthouse'));
    await goodbye(peer, 251);
  });

  it('answers 139 to a third request for MetaData in 5 s, and does nothing more', async () => {
    const peer = await startPeer();
    const connection = await peer.dial(addressOf('Lighthouse'));
    const results = [];
    for (let request = 0; request < 3; request++) results.push((await exchange(connection, 'metadata/3', ''))[0]);
    expect(results).toEqual([0, 0, 139]);
    expect((await exchange(connection, 'ping/1', PING_0))[0]).toBe(0);
  });
});

describe('Lodestar', () => {
  it('counts requests over all connections of a peer id, answers 2 to one too many, and bans', async () => {
    const peer = await startPeer();
    const results = [];
    for (let visit = 0; visit < 3; visit++) {
      const connection = await peer.dial(addressOf('Lodestar'));
      results.push((await exchange(connection, 'metadata/3', ''))[0]);
      if (visit < 2) await connection.close();
    }
    expect(results).toEqual([0, 0, 2]);
    await goodbye(peer, 251);
    await vi.waitFor(() => expect(peer.libp2p.getConnections()).toEqual([]));
    const again = await peer.dial(addressOf('Lodestar'));
    await vi.waitFor(() => expect(again.status).toBe('closed'));
  });

  it('asks for MetaData after a ping', async () => {
    const peer = await startPeer();
    const connection = await peer.dial(addressOf('Lodestar'));
    expect(peer.requests).toEqual([]);
    await exchange(connection, 'ping/1', PING_0);
    await vi.waitFor(() => expect(peer.requests.map(({ method }) => method)).toEqual(['metadata/3']));
  });
});

describe('Prysm', () => {
  it('pings and asks for MetaData once it has a Status', async () => {
    const peer = await startPeer();
    const connection = await peer.dial(addressOf('Prysm'));
    await exchange(connection, 'status/2', await framed(statusBody(devnet.network.fork_digest)));
    await vi.waitFor(() => expect(peer.requests.map(({ method }) => method)).toEqual(['ping/1', 'metadata/3']));
  });

  it('answers 1 to the sixth request at once', async () => {
    const peer = await startPeer();
    const connection = await peer.dial(addressOf('Prysm'));
    const results = [];
    for (let request = 0; request < 6; request++) results.push((await exchange(connection, 'metadata/3', ''))[0]);
    expect(results).toEqual([0, 0, 0, 0, 0, 1]);
  });

  it('says Goodbye 3 to a finalized epoch that nobody can have', async () => {
    const peer = await startPeer();
    const connection = await peer.dial(addressOf('Prysm'));
    const status = statusBody(devnet.network.fork_digest, { finalizedEpoch: 1_000n });
    await exchange(connection, 'status/2', await framed(status));
    await goodbye(peer, 3);
  });
});

describe('Teku', () => {
  it('asks for a finalized block that it does not have, and says Goodbye 128 when it does not get it', async () => {
    const peer = await startPeer();
    const ranges: string[] = [];
    await peer.libp2p.handle('/eth2/beacon_chain/req/beacon_blocks_by_range/2/ssz_snappy', async ({ stream }) => {
      for await (const part of stream.source) ranges.push(Buffer.from(part.subarray()).toString('hex'));
      await stream.sink([Buffer.from(`03${await framed(Buffer.from('no blocks'))}`, 'hex')]);
    });
    const connection = await peer.dial(addressOf('Teku'));
    const status = statusBody(devnet.network.fork_digest, { finalizedEpoch: 1_000n });
    await exchange(connection, 'status/2', await framed(status));
    await goodbye(peer, 128);
    // 24 bytes of SSZ: first slot, count, step.
    expect(ranges.join('').startsWith('18ff060000734e61507059')).toBe(true);
  });

  it('says the same to a peer that speaks no such method', async () => {
    const peer = await startPeer();
    const connection = await peer.dial(addressOf('Teku'));
    const status = statusBody(devnet.network.fork_digest, { finalizedEpoch: 1_000n });
    await exchange(connection, 'status/2', await framed(status));
    await goodbye(peer, 128);
  });
});

describe('Nimbus', () => {
  it('asks for Status at once, and bans for a day a peer of another network', async () => {
    const peer = await startPeer({ responses: { 'status/2': `00${await framed(statusBody('8c9f62fe'))}` } });
    await peer.dial(addressOf('Nimbus'));
    await goodbye(peer, 2);
    await peer.dial(addressOf('Nimbus'));
    await goodbye(peer, 251);
  });
});

describe('every client', () => {
  it.each(['Lighthouse', 'Prysm', 'Teku', 'Nimbus', 'Lodestar', 'Grandine'])(
    'accepts a Status of zeros: %s',
    async (client) => {
      const peer = await startPeer();
      const connection = await peer.dial(addressOf(client));
      const [result] = await exchange(connection, 'status/2', await framed(statusBody(devnet.network.fork_digest)));
      expect(result).toBe(0);
      expect((await exchange(connection, 'ping/1', PING_0))[0]).toBe(0);
      expect(connection.status).toBe('open');
    },
  );
});
