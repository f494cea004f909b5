import type { MannersLedger } from '../../consensus/manners/ledger.ts';
import type { OwnStatus } from '../../consensus/manners/own-status.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { type Host, type HostOptions, startHost } from '../../io/network/libp2p/host.ts';
import { listenAddresses, quicPort, quicPortFor, tcpPort } from '../../io/network/own/listening.ts';
import { OWN_METADATA } from '../../io/network/own/own-record.ts';
import { type Kept, keepRunning } from '../keep-running.ts';
import { MAX_CONNECTIONS } from './limits.ts';

export interface HostPartOptions {
  readonly privateKey: HostOptions['privateKey'];
  /** Where it listens, one of each family. */
  readonly ips: readonly string[];
  /** TCP port; 0 picks a free one. */
  readonly port: number;
  readonly agent: string;
  /** What we say of the chain, and what we hear. */
  readonly ownStatus: OwnStatus;
  readonly ledger: MannersLedger;
  /** What is known of a peer's agent from before; `null` for nothing. */
  readonly agentOf: (peerId: string) => string | null;
  readonly logger: Logger;
}

/** Listens and dials. Started again it is where it was, for that is where peers look for it. */
export function startHostPart(options: HostPartOptions): Promise<Kept<Host>> {
  const { privateKey, ips, port, agent, ownStatus, ledger, agentOf, logger } = options;
  let listen = ips.flatMap((ip) => listenAddresses(ip, port, quicPortFor(port)));
  const start = async (): Promise<Host> => {
    const host = await startHost({
      privateKey,
      listen,
      agent,
      maxConnections: MAX_CONNECTIONS,
      ownStatus: ownStatus.tell,
      ownMetaData: () => OWN_METADATA,
      onStatus: (peerId, status) => ownStatus.heard(peerId, status, Date.now()),
      agentOf,
      ledger,
      logger,
    });
    const { addresses } = host;
    listen = ips.flatMap((ip) => listenAddresses(ip, tcpPort(addresses, ip) ?? port, quicPort(addresses, ip) ?? 0));
    return host;
  };
  return keepRunning('the libp2p host', start, { logger });
}
