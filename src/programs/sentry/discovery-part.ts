import type { NetworkClock } from '../../consensus/clock.ts';
import type { Network } from '../../consensus/network.ts';
import { coversPeer, type OptOut } from '../../consensus/opt-out.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { type Discv5Options, startDiscv5 } from '../../io/network/discv5/discv5.ts';
import { freeUdpPort } from '../../io/network/own/free-port.ts';
import { quicPort, tcpPort } from '../../io/network/own/listening.ts';
import { advanceRecord, type OwnEndpoint, ownRecord } from '../../io/network/own/own-record.ts';
import type { Discovery } from '../../streams/ports/discovery.ts';
import { type Kept, keepRunning } from '../keep-running.ts';
import { type Part, partOf } from '../part.ts';
import { steadyDiscovery } from './steady.ts';

/** discv5, and the record with which we are found. */
export interface DiscoveryPart extends Part {
  /** Waits while it is down. */
  readonly discovery: Discovery;
  /** Our record as it is now. */
  enr(): string;
  /** What the record says of forks follows the clock. */
  advanceTo(epoch: number): void;
  /** What is started again. */
  readonly kept: Pick<Kept<unknown>, 'name' | 'restarts' | 'problem'>;
}

export interface DiscoveryPartOptions {
  readonly network: Network;
  readonly clock: NetworkClock;
  readonly privateKey: Discv5Options['privateKey'];
  readonly listenIp: string;
  readonly listenIp6: string | undefined;
  /** UDP port; 0 picks a free one. */
  readonly port: number;
  /** Where libp2p listens, as multiaddrs. */
  readonly addresses: readonly string[];
  readonly optOut: OptOut;
  readonly logger: Logger;
}

export async function startDiscoveryPart(options: DiscoveryPartOptions): Promise<DiscoveryPart> {
  const { network, clock, privateKey, listenIp, listenIp6, port, optOut, logger } = options;
  const udpPort = port === 0 ? await freeUdpPort(listenIp) : port;
  const endpoint = ownEndpoint(options, udpPort);
  const record = ownRecord(privateKey, network, clock.epochAt(Date.now()), Date.now(), endpoint);
  const bootnodes = network.bootnodes.filter((enr) => !coversPeer(optOut, { peerId: '', enr, addresses: [] }));
  const start = () =>
    startDiscv5({ privateKey, record, bindIp: listenIp, bindIp6: listenIp6, udpPort, bootnodes, logger });
  const kept = await keepRunning('discovery', start, { logger });
  const { name, failed$, checks, metrics } = kept;
  return {
    ...partOf(name, { failed$, checks, metrics, stop: () => kept.stop() }),
    discovery: steadyDiscovery(kept),
    enr: () => record.encodeTxt(),
    advanceTo: (epoch) => advanceRecord(record, network, epoch),
    kept,
  };
}

function ownEndpoint(
  { network, listenIp, listenIp6, port, addresses }: DiscoveryPartOptions,
  udpPort: number,
): OwnEndpoint {
  return {
    ip: network.isPublic ? null : listenIp,
    isIp6: listenIp.includes(':'),
    udpPort,
    tcpPort: tcpPort(addresses, listenIp) ?? port,
    quicPort: quicPort(addresses, listenIp),
    ...(listenIp6 === undefined
      ? {}
      : { tcp6Port: tcpPort(addresses, listenIp6), quic6Port: quicPort(addresses, listenIp6) }),
  };
}
