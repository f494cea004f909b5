import { ENR } from '@chainsafe/enr';
import type { Connection, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Devnet, startDevnet } from '../../../src/devnet/devnet.ts';
import type { DevnetNode } from '../../../src/devnet/network-file.ts';
import { type Penalty, readPenalties } from '../../../src/devnet/penalties.ts';
import {
  exchange,
  framed,
  type PlainPeer,
  plainPeersForEachTest,
  protocol,
  statusBody,
} from '../../support/devnet/plain-peer.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** What a devnet with real manners holds against a libp2p peer that misbehaves in one way, on the wire and in its truth. */

/** For what happens within a second on a machine that has nothing else to do. */
const WAIT_MS = 20_000;

let dir: Awaited<ReturnType<typeof tempDir>>;
let devnet: Devnet;
const { startPeer, startListener } = plainPeersForEachTest();

beforeAll(async () => {
  dir = await tempDir();
  // In the first epoch of a network, in which a Status of zeros looks synced.
  const options = { nodes: 32, seed: 2, slotMs: 2_000, dir: dir.path };
  devnet = await startDevnet({ ...options, firstEpoch: 0, manners: 'as-real' });
});
afterAll(async () => {
  await devnet.stop();
  await dir.remove();
});
const nodeOf = (client: string, suits: (node: DevnetNode) => boolean = () => true): DevnetNode => {
  const found = devnet.network.nodes.find(
    (node) => node.client === client && node.circumstance === 'roomy' && suits(node),
  );
  if (found === undefined) throw new Error(`no ${client}`);
  return found;
};
const addressOf = ({ multiaddrs }: DevnetNode, transport: 'tcp' | 'quic-v1' = 'tcp') =>
  multiaddrs.find((address) => address.includes(`/${transport}`)) ?? 'no such address';
const hasQuic = ({ multiaddrs }: DevnetNode) => multiaddrs.some((address) => address.includes('/quic-v1'));
const held = (peer: PlainPeer, node: DevnetNode): readonly Penalty[] =>
  devnet
    .penalties()
    .filter(({ peer_id, node: judge }) => peer_id === peer.libp2p.peerId.toString() && judge === node.peer_id);
const events = (peer: PlainPeer, node: DevnetNode) => held(peer, node).map(({ event }) => event);
async function holds(peer: PlainPeer, node: DevnetNode, expected: Partial<Penalty>): Promise<void> {
  await vi.waitFor(() => expect(held(peer, node)).toContainEqual(expect.objectContaining(expected)), WAIT_MS);
}
async function sendGoodbye(connection: Connection, reason: number): Promise<Stream> {
  const body = Buffer.alloc(8);
  body.writeUInt8(reason);
  const stream = await connection.newStream(protocol('goodbye/1'));
  await stream.sink([Buffer.from(await framed(body), 'hex')]);
  return stream;
}
const closed = (connection: Connection) => vi.waitFor(() => expect(connection.status).toBe('closed'), WAIT_MS);
const saidTo = ({ requests }: PlainPeer, reason: number) => {
  const ssz = reason.toString(16).padStart(2, '0').padEnd(16, '0');
  return vi.waitFor(() => expect(requests).toContainEqual({ method: 'goodbye/1', ssz }), WAIT_MS);
};

describe('Lighthouse', () => {
  it('bans a peer that answers its request for blocks with 3, and lets it in no more', async () => {
    const peer = await startPeer();
    const node = nodeOf('Lighthouse');
    await peer.libp2p.handle(protocol('beacon_blocks_by_root/2'), ({ stream }) => void stream.sink([Buffer.from([3])]));
    const connection = await peer.dial(addressOf(node));
    await exchange(connection, 'status/2', await framed(statusBody(devnet.network.fork_digest)));
    await holds(peer, node, { event: 'blocks refused', points: -100, score: -100, banned: true });
    await saidTo(peer, 250);
    await closed(connection);
    await expect(peer.dial(addressOf(node)).then((again) => exchange(again, 'status/2', ''))).rejects.toThrow();
    await holds(peer, node, { event: 'refused as banned', points: 0 });
  });

  it('takes a point from a peer that resets it', async () => {
    const peer = await startPeer();
    const node = nodeOf('Lighthouse', ({ peer_id }) => peer_id !== nodeOf('Lighthouse').peer_id);
    await peer.libp2p.handle(protocol('beacon_blocks_by_root/2'), ({ stream }) => stream.abort(new Error('no')));
    const connection = await peer.dial(addressOf(node));
    await exchange(connection, 'status/2', await framed(statusBody(devnet.network.fork_digest)));
    await holds(peer, node, { event: 'blocks reset', points: -1, banned: false });
    expect(connection.status).toBe('open');
  });

  it('lets in one connection of a peer at a time', async () => {
    const peer = await startPeer();
    const node = nodeOf('Lighthouse');
    const first = await peer.dial(addressOf(node));
    const second = await peer.libp2p.dial(multiaddr(addressOf(node)), { force: true }).catch(() => null);
    if (second !== null) await closed(second);
    expect(first.status).toBe('open');
    expect(peer.libp2p.getConnections()).toEqual([first]);
  });

  it('dials who has asked it in discv5, and asks its Status first', async () => {
    const eth2 = ENR.decodeTxt(devnet.network.nodes[0]?.enr ?? '').kvs.get('eth2') ?? new Uint8Array();
    const { peer, discovery } = await startListener(eth2);
    const opened: string[] = [];
    peer.libp2p.addEventListener('connection:open', ({ detail }) => opened.push(detail.remotePeer.toString()));
    const node = nodeOf('Lighthouse');
    // On a busy machine a question may go unanswered for the second that it may take.
    await vi.waitFor(() => discovery.sendFindNode(ENR.decodeTxt(node.enr), [0]), WAIT_MS);
    await vi.waitFor(() => expect(opened).toContain(node.peer_id), WAIT_MS);
    await vi.waitFor(() => expect(peer.requests[0]?.method).toBe('status/2'), WAIT_MS);
    expect(events(peer, node)).toEqual([]);
  });
});

describe('Lodestar', () => {
  it('bans for a second Goodbye within 10 s, on whichever connection', async () => {
    const peer = await startPeer();
    const node = nodeOf('Lodestar');
    const first = await peer.dial(addressOf(node));
    await sendGoodbye(first, 1);
    await closed(first);
    await sendGoodbye(await peer.dial(addressOf(node)), 1).catch(() => undefined);
    await holds(peer, node, { event: 'goodbye rate limit', points: -200, score: -100, banned: true });
  });
});

describe('Prysm', () => {
  it('counts a Goodbye of which half has come', async () => {
    const peer = await startPeer();
    const node = nodeOf('Prysm');
    const connection = await peer.dial(addressOf(node));
    const stream = await connection.newStream(protocol('goodbye/1'));
    await stream.sink([Buffer.from('08ff0600', 'hex')]);
    await holds(peer, node, { event: 'goodbye cut', points: 1, score: 1, banned: false });
  });

  it('counts a Goodbye over QUIC that the end of the connection overtakes, and none that it has read', async () => {
    const node = nodeOf('Prysm', hasQuic);
    const hasty = await startPeer({ withQuic: true });
    const connection = await hasty.dial(addressOf(node, 'quic-v1'));
    await connection.newStream(protocol('goodbye/1'));
    await connection.close();
    await holds(hasty, node, { event: 'goodbye cut', points: 1 });

    const patient = await startPeer({ withQuic: true });
    const other = await patient.dial(addressOf(node, 'quic-v1'));
    await sendGoodbye(other, 1);
    await closed(other);
    expect(events(patient, node)).toEqual([]);
  });

  it('counts a second Goodbye within a second', async () => {
    const peer = await startPeer();
    const node = nodeOf('Prysm');
    const connections = [
      await peer.dial(addressOf(node)),
      await peer.libp2p.dial(multiaddr(addressOf(node)), { force: true }),
    ];
    await Promise.all(connections.map((connection) => sendGoodbye(connection, 1).catch(() => undefined)));
    await holds(peer, node, { event: 'goodbye rate limit', points: 1 });
  });
});

describe('Teku', () => {
  it('bans who says Goodbye 128, and answers its next connection with the same', async () => {
    const peer = await startPeer();
    const node = nodeOf('Teku');
    await sendGoodbye(await peer.dial(addressOf(node)), 128);
    await holds(peer, node, { event: 'goodbye 128', banned: true });
    await vi.waitFor(() => expect(peer.libp2p.getConnections()).toEqual([]));
    await closed(await peer.dial(addressOf(node)));
    await saidTo(peer, 128);
  });
});

describe('Nimbus', () => {
  it('leaves without a Goodbye a peer that does not answer its Status', async () => {
    const peer = await startPeer({ responses: { 'status/2': '' } });
    const node = nodeOf('Nimbus');
    const connection = await peer.dial(addressOf(node));
    await holds(peer, node, { event: 'status empty', points: -50, score: 250 });
    await closed(connection);
    expect(peer.requests.map(({ method }) => method)).not.toContain('goodbye/1');
  });
});

describe('the truth', () => {
  it('is in the file as well, and of a well-behaved peer it tells nothing', async () => {
    const peer = await startPeer();
    for (const client of ['Lighthouse', 'Lodestar', 'Prysm', 'Teku', 'Nimbus', 'Grandine']) {
      const connection = await peer.dial(addressOf(nodeOf(client)));
      const answer = await exchange(connection, 'status/2', await framed(statusBody(devnet.network.fork_digest)));
      expect([answer[0], connection.status]).toEqual([0, 'open']);
    }
    const file = await readPenalties(devnet.penaltiesPath);
    expect(file.length).toBeGreaterThan(0);
    expect(devnet.penalties().slice(0, file.length)).toEqual(file);
    expect(file.filter(({ peer_id }) => peer_id === peer.libp2p.peerId.toString())).toEqual([]);
  });
});
