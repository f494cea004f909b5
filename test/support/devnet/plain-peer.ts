import { Discv5 } from '@chainsafe/discv5';
import { SignableENR } from '@chainsafe/enr';
import { type GossipsubEvents, gossipsub } from '@chainsafe/libp2p-gossipsub';
import { noise } from '@chainsafe/libp2p-noise';
import { quic } from '@chainsafe/libp2p-quic';
import { yamux } from '@chainsafe/libp2p-yamux';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { type Identify, identify } from '@libp2p/identify';
import type { Connection, IdentifyResult, Libp2p, PrivateKey, PubSub } from '@libp2p/interface';
import { mplex } from '@libp2p/mplex';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p, type Libp2pOptions } from 'libp2p';
import { Compressor, Decompressor } from 'snappy';
import { afterEach } from 'vitest';

/** A libp2p peer that knows nothing of Ethereum: it opens streams and keeps what comes. */
export interface PlainPeer {
  readonly libp2p: Libp2p<{ identify: Identify; pubsub: PubSub<GossipsubEvents> }>;
  /** Topics that a peer has said it is subscribed to. */
  topicsOf(peerId: string): ReadonlySet<string>;
  /** What a peer has told identify. */
  identityOf(peerId: string): IdentifyResult | undefined;
  /** The requests that have come, their SSZ bytes in hex. */
  readonly requests: readonly { readonly method: string; readonly ssz: string }[];
  dial(address: string): Promise<Connection>;
}

/** The body of ping(0) as another implementation wrote it. */
export const PING_0 = '08ff060000734e61507059010c0000290398070000000000000000';

export const protocol = (method: string) => `/eth2/beacon_chain/req/${method}/ssz_snappy`;

/** Answers by which a client keeps a peer: its own Status back, and bytes that another implementation wrote. */
const RESPONSES: ReadonlyMap<string, (request: Buffer) => Buffer> = new Map([
  ['status/2', (request: Buffer) => Buffer.concat([Buffer.from([0]), request])],
  ['ping/1', () => Buffer.from(`00${PING_0}`, 'hex')],
  [
    'metadata/3',
    () =>
      Buffer.from('0019ff060000734e61507059011d00000910638f01000000000000000000000000000000000400000000000000', 'hex'),
  ],
  ['goodbye/1', () => Buffer.alloc(0)],
]);

export interface PlainPeerOptions {
  readonly muxers?: NonNullable<Libp2pOptions['streamMuxers']>;
  readonly privateKey?: PrivateKey;
  readonly listen?: readonly string[];
  readonly withQuic?: boolean;
  /** Answers in place of the usual ones, in hex; `null` for a method that is not spoken. */
  readonly responses?: Readonly<Record<string, string | null>>;
}

export async function plainPeer(options: PlainPeerOptions = {}): Promise<PlainPeer> {
  const { muxers = [yamux(), mplex()], listen = [], withQuic = false, responses = {} } = options;
  const libp2p = await createLibp2p({
    privateKey: options.privateKey ?? (await generateKeyPair('secp256k1')),
    addresses: { listen: [...listen] },
    transports: withQuic ? [tcp(), quic()] : [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: muxers,
    connectionMonitor: { enabled: false },
    services: {
      identify: identify(),
      pubsub: gossipsub({ globalSignaturePolicy: 'StrictNoSign', scoreParams: { IPColocationFactorWeight: 0 } }),
    },
  });
  const topics = new Map<string, Set<string>>();
  libp2p.services.pubsub.addEventListener('subscription-change', ({ detail: { peerId, subscriptions } }) => {
    const known = topics.get(peerId.toString()) ?? new Set();
    for (const { topic, subscribe } of subscriptions) {
      if (subscribe) known.add(topic);
      else known.delete(topic);
    }
    topics.set(peerId.toString(), known);
  });
  const requests: { method: string; ssz: string }[] = [];
  for (const [method, usual] of RESPONSES) {
    const other = responses[method];
    if (other === null) continue;
    const response = other === undefined ? usual : () => Buffer.from(other, 'hex');
    await libp2p.handle(protocol(method), async ({ stream }) => {
      const bytes = await collect(stream.source);
      requests.push({ method, ssz: bytes.length === 0 ? '' : (await payloadOf(bytes)).toString('hex') });
      await stream.sink([response(bytes)]);
    });
  }
  const identities = new Map<string, IdentifyResult>();
  libp2p.addEventListener('peer:identify', ({ detail }) => identities.set(detail.peerId.toString(), detail));

  return {
    libp2p,
    requests,
    identityOf: (peerId) => identities.get(peerId),
    topicsOf: (peerId) => topics.get(peerId) ?? new Set(),
    dial: (address) => libp2p.dial(multiaddr(address)),
  };
}

export interface PlainPeers {
  startPeer(options?: PlainPeerOptions): Promise<PlainPeer>;
  /** A discv5 node of the record; it listens on the record's UDP port. */
  startDiscovery(enr: SignableENR, privateKey: PrivateKey): Promise<Discv5>;
  /** A peer that listens on TCP, and a discv5 node whose record says where. */
  startListener(eth2: Uint8Array): Promise<{ readonly peer: PlainPeer; readonly discovery: Discv5 }>;
}

/** Peers that end with the test that has started them. */
export function plainPeersForEachTest(): PlainPeers {
  const peers: PlainPeer[] = [];
  const discoveries: Discv5[] = [];
  afterEach(async () => {
    await Promise.all(discoveries.splice(0).map((discovery) => discovery.stop()));
    await Promise.all(peers.splice(0).map((peer) => peer.libp2p.stop()));
  });

  async function startPeer(options: PlainPeerOptions = {}): Promise<PlainPeer> {
    const peer = await plainPeer(options);
    peers.push(peer);
    return peer;
  }
  async function startDiscovery(enr: SignableENR, privateKey: PrivateKey): Promise<Discv5> {
    const bindAddrs = { ip4: multiaddr(`/ip4/127.0.0.1/udp/${enr.udp ?? 0}`) };
    const discovery = Discv5.create({ enr, privateKey, bindAddrs });
    await discovery.start();
    discoveries.push(discovery);
    return discovery;
  }
  return {
    startPeer,
    startDiscovery,
    async startListener(eth2) {
      const privateKey = await generateKeyPair('secp256k1');
      const peer = await startPeer({ privateKey, listen: ['/ip4/127.0.0.1/tcp/0'] });
      const tcpPort = Number(peer.libp2p.getMultiaddrs()[0]?.toOptions().port);
      const enr = SignableENR.createFromPrivateKey(privateKey);
      enr.ip = '127.0.0.1';
      enr.tcp = tcpPort;
      enr.udp = tcpPort;
      enr.set('eth2', eth2);
      return { peer, discovery: await startDiscovery(enr, privateKey) };
    },
  };
}

/** A request's body, or a response's without its result, written by snappy's own encoder of frames. */
export async function framed(body: Uint8Array): Promise<string> {
  const compressor = new Compressor();
  const head = compressor.update(Buffer.from(body));
  return Buffer.concat([Buffer.from([body.length]), head, await compressor.finish()]).toString('hex');
}

/** A Status of zeros but for some fields, of version 2. */
export function statusBody(
  digest: string,
  { finalizedEpoch = 0n, headSlot = 0n, root = '00'.repeat(32) } = {},
): Buffer {
  const status = Buffer.alloc(92);
  status.write(digest, 'hex');
  status.write(root, 4, 'hex');
  status.writeBigUInt64LE(finalizedEpoch, 36);
  status.writeBigUInt64LE(headSlot, 76);
  return status;
}

/** Sends raw bytes on a new stream, closes that side, and returns all that comes back. */
export async function exchange(connection: Connection, method: string, sent: string): Promise<Buffer> {
  const stream = await connection.newStream(protocol(method));
  const [, received] = await Promise.all([
    stream.sink(sent === '' ? [] : [Buffer.from(sent, 'hex')]),
    collect(stream.source),
  ]);
  await stream.close();
  return received;
}

/** The SSZ bytes of a successful response, through snappy's own decoder of frames. */
export async function successOf(response: Buffer): Promise<Buffer> {
  if (response[0] !== 0) throw new Error(`result ${response[0]}`);
  return await payloadOf(response.subarray(1));
}

/** All bodies here are shorter than 128 bytes, so that their length is one byte. */
export async function payloadOf(bytes: Buffer): Promise<Buffer> {
  const decoder = new Decompressor();
  const head = decoder.update(bytes.subarray(1));
  const body = Buffer.concat([head, await decoder.finish()]);
  if (body.length !== bytes[0]) throw new Error(`${body.length} bytes where ${bytes[0]} were announced`);
  return body;
}

async function collect(source: AsyncIterable<{ subarray(): Uint8Array }>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part.subarray());
  return Buffer.concat(parts);
}
