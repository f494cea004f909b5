import { EventEmitter, on } from 'node:events';
import type { GossipSub } from '@chainsafe/libp2p-gossipsub';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { gossipOnlyWith, hearSubscriptions } from '../../../../src/io/network/libp2p/gossip.ts';
import { createNode } from '../../../../src/io/network/libp2p/node.ts';
import { createSubscriptionBook, type SubscriptionBook } from '../../../../src/io/network/libp2p/subscription-book.ts';
import type { SubscriptionRpc } from '../../../../src/streams/ports/peer-link.ts';
import { type BarePeer, barePeer } from '../../../support/network/bare-peer.ts';
import { TCP } from '../../../support/network/test-host.ts';

const MESHSUB = '/meshsub/1.1.0';
const topicOf = (subnet: number) => `/eth2/8c9f62fe/beacon_attestation_${subnet}/ssz_snappy`;

/** Fields of protobuf with a length, below 128 bytes or with a varint of two bytes. */
function field(number: number, body: Uint8Array): Buffer {
  const { length } = body;
  const size = length < 128 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...size]), body]);
}
/** libp2p/specs pubsub: SubOpts has `subscribe` as field 1 and the topic as field 2. */
const subscription = (topic: string, subscribe = true) =>
  field(1, Buffer.concat([Buffer.from([0x08, subscribe ? 1 : 0]), field(2, Buffer.from(topic))]));
/** A control message (RPC field 3) with a GRAFT (its field 3) for a topic (its field 1). */
const graft = (topic: string) => field(3, field(3, field(1, Buffer.from(topic))));
/** On a stream each RPC has its length before it. */
const onStream = (rpc: Uint8Array) => field(0, rpc).subarray(1);

let node: Awaited<ReturnType<typeof createNode>>;
let peer: BarePeer;
let book: SubscriptionBook;
let stream: Stream;
let heard: SubscriptionRpc[];
let send: (rpc: Uint8Array) => void;

beforeEach(async () => {
  node = await createNode({
    privateKey: await generateKeyPair('secp256k1'),
    listen: [TCP],
    agent: 'test',
    maxConnections: 4,
  });
  book = createSubscriptionBook(Date.now);
  hearSubscriptions(node.services.pubsub as GossipSub, book);
  await node.start();
  peer = await barePeer();
  book.open(peer.peerId);
  heard = [];
  book.of(peer.peerId).subscribe((rpc) => heard.push(rpc));
  const connection = await peer.dial(node.getMultiaddrs().map(String));
  stream = await connection.newStream(MESHSUB);
  const said = new EventEmitter();
  const source = (async function* () {
    for await (const [rpc] of on(said, 'rpc')) yield onStream(rpc);
  })();
  stream.sink(source).catch((error: Error) => expect(error).toBeInstanceOf(Error));
  send = (rpc) => said.emit('rpc', rpc);
});
afterEach(async () => {
  await peer.stop();
  await node.stop();
});

const gossip = () => node.services.pubsub as GossipSub;
const changesHeard = () => heard.map(({ changes }) => changes.map(({ topic }) => topic));

describe('the hello', () => {
  it('of a peer without topics is an RPC of 0 bytes, and is heard', async () => {
    send(Buffer.alloc(0));
    await vi.waitFor(() => expect(changesHeard()).toEqual([[]]));
  });

  it('is followed by RPCs that say nothing of topics, which are no news', async () => {
    send(Buffer.concat([subscription(topicOf(1)), subscription(topicOf(2))]));
    send(Buffer.alloc(0));
    send(graft(topicOf(1)));
    send(subscription(topicOf(2), false));
    await vi.waitFor(() => expect(heard).toHaveLength(2));
    expect(changesHeard()).toEqual([[topicOf(1), topicOf(2)], [topicOf(2)]]);
    expect(heard[1]?.changes).toEqual([{ topic: topicOf(2), subscribe: false }]);
  });
});

describe('gossipsub', () => {
  it('remembers no topic that a peer has named', async () => {
    for (let subnet = 0; subnet < 300; subnet++) send(subscription(topicOf(subnet)));
    await vi.waitFor(() => expect(heard).toHaveLength(300));
    expect(gossip().getPeers().map(String)).toEqual([peer.peerId]);
    expect((gossip() as unknown as { topics: Map<string, unknown> }).topics.size).toBe(0);
  });

  it('keeps neither a peer that has gone nor what it thought of it', async () => {
    send(subscription(topicOf(1)));
    await vi.waitFor(() => expect(gossip().getPeers()).toHaveLength(1));
    const { score } = gossip() as unknown as { score: { peerStats: Map<string, unknown> } };
    expect(score.peerStats.size).toBe(1);
    await peer.stop();
    await vi.waitFor(() => expect(gossip().getPeers()).toHaveLength(0));
    await vi.waitFor(() => expect(score.peerStats.size).toBe(0));
  });

  it('takes nobody on who has gone while the stream was agreed on', async () => {
    const stranger = await barePeer();
    let isConnected = false;
    const forget = gossipOnlyWith(gossip(), () => isConnected);
    const takesOn = gossip() as unknown as { addPeer(...args: unknown[]): void };
    const take = () => takesOn.addPeer(stranger.libp2p.peerId, 'inbound', multiaddr('/ip4/127.0.0.1/tcp/1'));
    take();
    expect(gossip().getPeers().map(String)).not.toContain(stranger.peerId);
    isConnected = true;
    take();
    forget(stranger.libp2p.peerId);
    expect(gossip().getPeers().map(String)).toContain(stranger.peerId);
    isConnected = false;
    forget(stranger.libp2p.peerId);
    expect(gossip().getPeers().map(String)).not.toContain(stranger.peerId);
    await stranger.stop();
  });
});
