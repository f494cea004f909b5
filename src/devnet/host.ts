import { Discv5 } from '@chainsafe/discv5';
import type { SignableENR } from '@chainsafe/enr';
import { type GossipsubEvents, gossipsub } from '@chainsafe/libp2p-gossipsub';
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { type Identify, identify } from '@libp2p/identify';
import type { ComponentLogger, Libp2p, Logger, PubSub } from '@libp2p/interface';
import { mplex } from '@libp2p/mplex';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { CLIENTS } from './clients.ts';
import type { NodeTruth } from './truth.ts';

/** The two network stacks of a node, running: libp2p on TCP and discv5 on UDP, same key, same address, same port. */
export interface Host {
  readonly libp2p: Libp2p<{ identify: Identify; pubsub: PubSub<GossipsubEvents> }>;
  readonly discovery: Discv5;
  stop(): Promise<void>;
}

/** More than a crawler with many connections from one address will reach. */
const MAX_CONNECTIONS = 1000;
/** Every node of a devnet shares one process: what nobody reads is done seldom. */
const SCORE_DECAY_INTERVAL_MS = 60_000;
const IDLE_SOCKET_TIMEOUT_MS = 30 * 60_000;

/** Starts both stacks on the address that the record states. */
export async function startHost(truth: NodeTruth, record: SignableENR): Promise<Host> {
  const tcpAddress = record.getLocationMultiaddr('tcp4');
  const udpAddress = record.getLocationMultiaddr('udp4');
  if (tcpAddress === undefined || udpAddress === undefined) throw new Error('a simulated node needs an address');

  const libp2p = await createLibp2p({
    privateKey: truth.privateKey,
    addresses: { listen: [tcpAddress.toString()] },
    nodeInfo: { userAgent: truth.agent },
    logger: SILENT,
    transports: [tcp({ inboundSocketInactivityTimeout: IDLE_SOCKET_TIMEOUT_MS })],
    connectionEncrypters: [noise()],
    streamMuxers: CLIENTS[truth.client].muxers.map((muxer) => (muxer === 'yamux' ? yamux() : mplex())),
    connectionManager: {
      maxConnections: MAX_CONNECTIONS,
      inboundConnectionThreshold: MAX_CONNECTIONS,
      maxIncomingPendingConnections: MAX_CONNECTIONS,
    },
    connectionMonitor: { enabled: false },
    services: {
      identify: identify(),
      pubsub: gossipsub({
        globalSignaturePolicy: 'StrictNoSign',
        fallbackToFloodsub: false,
        allowPublishToZeroTopicPeers: true,
        tagMeshPeers: false,
        // A crawler connects to every node from one address, and must not be ignored for it.
        scoreParams: { IPColocationFactorWeight: 0, decayInterval: SCORE_DECAY_INTERVAL_MS },
      }),
    },
  });

  const discovery = Discv5.create({
    enr: record,
    privateKey: truth.privateKey,
    bindAddrs: { ip4: multiaddr(udpAddress.toString()) },
    config: {
      // A peer behind a router does not know its address, and peers' opinions must not change that of a node.
      allowUnverifiedSessions: true,
      enrUpdate: false,
    },
  });
  await discovery.start();

  return {
    libp2p,
    discovery,
    stop: async () => {
      await Promise.all([discovery.stop(), libp2p.stop()]);
    },
  };
}

/** libp2p makes dozens of loggers a node; one that says nothing serves them all. */
const SILENT_LOGGER: Logger = Object.assign(() => undefined, {
  enabled: false,
  error: () => undefined,
  trace: () => undefined,
  newScope: () => SILENT_LOGGER,
});
const SILENT: ComponentLogger = { forComponent: () => SILENT_LOGGER };
