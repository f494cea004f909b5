import { quic } from '@chainsafe/libp2p-quic';
import { yamux } from '@chainsafe/libp2p-yamux';
import { identify } from '@libp2p/identify';
import type { PrivateKey } from '@libp2p/interface';
import { mplex } from '@libp2p/mplex';
import { tcp } from '@libp2p/tcp';
import { createLibp2p } from 'libp2p';
import { listeningGossip } from './gossip.ts';
import { tellingNoise } from './security.ts';

export interface NodeOptions {
  readonly privateKey: PrivateKey;
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[];
  /** What identify tells peers of us. */
  readonly agent: string;
  readonly maxConnections: number;
}

/** js-libp2p closes faster redials from one address by default; a NAT may hide many nodes. */
const INBOUND_PER_ADDRESS_PER_SECOND = 50;
/**
 * Messages for streams that are gone already, before mplex ends the connection: as many as Lodestar puts up with, since it is it that
 * speaks mplex (network/libp2p/index.ts).
 */
const MPLEX_STRAYS_PER_SECOND = 50;
/**
 * How long a peer may take to say what it opens a stream for. libp2p then resets the stream, which says "not supported" to Lighthouse:
 * so long that each peer has given it up before, after ten seconds or fewer.
 */
const NEGOTIATION_MS = 60_000;
const MAX_IDENTIFY_BYTES = 16 * 1024;

/**
 * libp2p as a crawler needs it: it does by itself nothing that a stage of a visit does. It is yet to be started, when all is
 * there that peers may ask for: who asks before that is told that we do not speak it.
 */
export async function createNode({ privateKey, listen, agent, maxConnections }: NodeOptions) {
  let connectionCount = () => 0;
  const node = await createLibp2p({
    start: false,
    privateKey,
    addresses: { listen: [...listen] },
    // QUIC goes through native code; TCP is what every node has.
    transports: [quic(), tcp()],
    connectionEncrypters: [tellingNoise()],
    streamMuxers: [yamux(), mplex({ disconnectThreshold: MPLEX_STRAYS_PER_SECOND })],
    nodeInfo: { userAgent: agent },
    connectionManager: {
      // Above it libp2p ends whom it likes, and with a FIN into each of their streams.
      maxConnections: Number.MAX_SAFE_INTEGER,
      maxParallelDials: maxConnections,
      inboundConnectionThreshold: INBOUND_PER_ADDRESS_PER_SECOND,
      maxIncomingPendingConnections: maxConnections,
      reconnectRetries: 0,
      inboundStreamProtocolNegotiationTimeout: NEGOTIATION_MS,
    },
    connectionGater: { denyInboundConnection: () => connectionCount() >= maxConnections },
    connectionMonitor: { enabled: false },
    services: {
      // Identified by the handshake stage, so that its outcome is known and its time is bounded.
      identify: identify({ runOnConnectionOpen: false, maxMessageSize: MAX_IDENTIFY_BYTES }),
      pubsub: listeningGossip(),
    },
  });
  connectionCount = () => node.getConnections().length;
  return node;
}
