import { type GossipsubEvents, gossipsub } from '@chainsafe/libp2p-gossipsub';
import { noise } from '@chainsafe/libp2p-noise';
import { quic } from '@chainsafe/libp2p-quic';
import { yamux } from '@chainsafe/libp2p-yamux';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import type { Connection, Libp2p, PubSub, Stream } from '@libp2p/interface';
import { mplex } from '@libp2p/mplex';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { FrameSpy } from './frame-spy.ts';

/** A libp2p peer on loopback that speaks nothing but what a test teaches it. */
export interface BarePeer {
  readonly libp2p: Libp2p;
  readonly peerId: string;
  /** Where it listens, without its peer id. */
  readonly address: string;
  /** Serves a protocol until the next call for the same one. */
  serve(protocol: string, handler: (stream: Stream, connection: Connection) => unknown): Promise<void>;
  dial(addresses: readonly string[]): Promise<Connection>;
  stop(): Promise<void>;
}

export type Muxer = 'yamux' | 'mplex';

/** Messages for streams that are gone, before mplex ends the connection: as Lodestar has it. */
const STRAYS_PER_SECOND = 50;

/** How a connection carries streams. */
export type Carrier = Muxer | 'quic';

export interface BarePeerOptions {
  /** Over TCP, unless it is QUIC. */
  readonly muxer?: Carrier;
  /** Takes the place of the muxer, to see what it does. */
  readonly spy?: FrameSpy;
  /** What identify says it is; it then speaks identify. */
  readonly agent?: string;
  /** Topics of which it tells everybody in its gossip hello; it then speaks identify and gossipsub as well. */
  readonly topics?: readonly string[];
}

export async function barePeer({ muxer = 'yamux', spy, topics, agent }: BarePeerOptions = {}): Promise<BarePeer> {
  const isQuic = muxer === 'quic';
  const libp2p = await createLibp2p({
    privateKey: await generateKeyPair('secp256k1'),
    addresses: { listen: [isQuic ? '/ip4/127.0.0.1/udp/0/quic-v1' : '/ip4/127.0.0.1/tcp/0'] },
    transports: [isQuic ? quic() : tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [spy?.muxer ?? (muxer === 'mplex' ? mplex({ disconnectThreshold: STRAYS_PER_SECOND }) : yamux())],
    nodeInfo: { userAgent: agent ?? 'bare' },
    connectionMonitor: { enabled: false },
    connectionManager: { inboundConnectionThreshold: 1_000, reconnectRetries: 0 },
    services: {
      ...((topics || agent !== undefined) && { identify: identify() }),
      ...(topics && { pubsub: gossipsub({ globalSignaturePolicy: 'StrictNoSign' }) }),
    },
  });
  if (topics)
    for (const topic of topics)
      (libp2p.services as unknown as { pubsub: PubSub<GossipsubEvents> }).pubsub.subscribe(topic);
  const [listening] = libp2p.getMultiaddrs();
  return {
    libp2p,
    peerId: libp2p.peerId.toString(),
    address: (listening?.toString() ?? '').replace(/\/p2p\/.*/, ''),
    serve: async (protocol, handler) => {
      if (libp2p.getProtocols().includes(protocol)) await libp2p.unhandle(protocol);
      await libp2p.handle(protocol, ({ stream, connection }) => void handler(stream, connection));
    },
    dial: (addresses) => libp2p.dial(addresses.map((address) => multiaddr(address))),
    stop: async () => await libp2p.stop(),
  };
}

/** All that comes on a stream until the other side has ended. */
export async function collect(source: AsyncIterable<{ subarray(): Uint8Array }>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part.subarray());
  return Buffer.concat(parts);
}
