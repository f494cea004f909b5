import { type GossipsubEvents, gossipsub } from '@chainsafe/libp2p-gossipsub';
import { noise } from '@chainsafe/libp2p-noise';
import { quic } from '@chainsafe/libp2p-quic';
import { yamux } from '@chainsafe/libp2p-yamux';
import { identify } from '@libp2p/identify';
import type { ComponentLogger, Libp2p, PrivateKey, PubSub, ServiceMap } from '@libp2p/interface';
import { mplex } from '@libp2p/mplex';
import { tcp } from '@libp2p/tcp';
import { createLibp2p, type Libp2pOptions } from 'libp2p';
import { CLIENTS } from './clients.ts';
import type { Endpoints } from './endpoints.ts';
import { type Gate, gaterOf, openGate } from './gate.ts';
import { noiseThatEnds, resetStreams, strangersKey } from './hostile-libp2p.ts';
import { SILENT } from './silent-logger.ts';
import type { NodeTruth } from './truth.ts';

export interface Libp2pHost {
  readonly libp2p: Libp2p;
  /** `null` for a node that has no gossip to offer. */
  readonly pubsub: PubSub<GossipsubEvents> | null;
  /** Whom it lets in; its peer manager may change that. */
  readonly gate: Gate;
}

/** More than a crawler with many connections from one address will reach. */
const MAX_CONNECTIONS = 1000;
/** Every node of a devnet shares one process: what nobody reads is done seldom. */
const SCORE_DECAY_INTERVAL_MS = 60_000;
const IDLE_SOCKET_TIMEOUT_MS = 30 * 60_000;
const IDENTIFY_PROTOCOL = '/ipfs/id/1.0.0';
const GOSSIP_PROTOCOLS = ['/meshsub/1.1.0', '/meshsub/1.2.0'];

/** Starts a node's libp2p with what its client has of it, and what its behaviour makes of that. */
export async function startLibp2p(truth: NodeTruth, { listen }: Endpoints): Promise<Libp2pHost> {
  const { behaviour } = truth;
  const gate = openGate();
  const options = { ...baseOptions(truth, listen), connectionGater: gaterOf(gate) };
  if (behaviour === 'reset-at-subscriptions') {
    const libp2p = await createLibp2p({ ...options, services: { identify: identify() } });
    await resetStreams(libp2p, GOSSIP_PROTOCOLS);
    return { libp2p, pubsub: null, gate };
  }
  const libp2p = await createLibp2p({ ...options, services: { identify: identify(), pubsub: gossip() } });
  if (behaviour === 'reset-at-identify') {
    await libp2p.unhandle(IDENTIFY_PROTOCOL);
    await resetStreams(libp2p, [IDENTIFY_PROTOCOL]);
  }
  return { libp2p, pubsub: libp2p.services.pubsub, gate };
}

function baseOptions(truth: NodeTruth, listen: readonly string[]): Libp2pOptions<ServiceMap> {
  const { agent, behaviour, client, reach } = truth;
  const muxers = reach === 'mplex-only' ? (['mplex'] as const) : CLIENTS[client].muxers;
  const transports: NonNullable<Libp2pOptions['transports']> = [];
  if (reach !== 'quic-only') transports.push(tcp({ inboundSocketInactivityTimeout: IDLE_SOCKET_TIMEOUT_MS }));
  if (listen.some((address) => address.endsWith('/quic-v1'))) transports.push(quic());
  const privateKey: PrivateKey = behaviour === 'wrong-peer-id' ? strangersKey(truth.privateKey) : truth.privateKey;
  return {
    privateKey,
    addresses: { listen: [...listen] },
    nodeInfo: { userAgent: agent },
    logger: SILENT satisfies ComponentLogger,
    transports,
    connectionEncrypters: [behaviour === 'reset-at-mux' ? noiseThatEnds() : noise()],
    streamMuxers: muxers.map((muxer) => (muxer === 'yamux' ? yamux() : mplex())),
    connectionManager: {
      maxConnections: MAX_CONNECTIONS,
      inboundConnectionThreshold: MAX_CONNECTIONS,
      maxIncomingPendingConnections: MAX_CONNECTIONS,
    },
    connectionMonitor: { enabled: false },
  };
}

function gossip() {
  return gossipsub({
    globalSignaturePolicy: 'StrictNoSign',
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    tagMeshPeers: false,
    // A crawler connects to every node from one address, and must not be ignored for it.
    scoreParams: { IPColocationFactorWeight: 0, decayInterval: SCORE_DECAY_INTERVAL_MS },
  });
}
