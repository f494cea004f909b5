import { generateKeyPair } from '@libp2p/crypto/keys';
import { firstValueFrom } from 'rxjs';
import type { Status } from '../../../src/consensus/containers.ts';
import { createMannersLedger } from '../../../src/consensus/manners/ledger.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { type Host, type HostOptions, startHost } from '../../../src/io/network/libp2p/host.ts';
import { OWN_METADATA } from '../../../src/io/network/own/own-record.ts';
import type { PeerLink } from '../../../src/streams/ports/peer-link.ts';
import type { BarePeer } from './bare-peer.ts';

export const TCP = '/ip4/127.0.0.1/tcp/0';
export const QUIC = '/ip4/127.0.0.1/udp/0/quic-v1';

export const EMPTY_STATUS: Status = {
  forkDigest: '8c9f62fe',
  finalizedRoot: '00'.repeat(32),
  finalizedEpoch: 0,
  headRoot: '00'.repeat(32),
  headSlot: 0,
  earliestAvailableSlot: 0,
};

export const NOTHING_HELD = { connections: 0, gossipPeers: 0, subscriptionPages: 0, storedPeers: 0 };

const LONG_AGO_MS = -1e9;

/** A ledger of somebody who was started long ago, so that nobody counts as asked. */
export const freshLedger = () => createMannersLedger({ startedMs: LONG_AGO_MS });

/** A host on loopback; over TCP, unless told otherwise. */
export async function aHost(options: Partial<HostOptions> = {}): Promise<Host> {
  return startHost({
    privateKey: await generateKeyPair('secp256k1'),
    listen: [TCP],
    agent: 'valtrack/test',
    maxConnections: 200,
    ownStatus: () => EMPTY_STATUS,
    ownMetaData: () => OWN_METADATA,
    ledger: freshLedger(),
    logger: createLogger({ level: 'silent', format: 'json' }),
    ...options,
  });
}

/** A connection of the host's with the peer, as a visit has it. @throws when the dial fails */
export async function visitTo(
  host: Host,
  { peerId, address }: Pick<BarePeer, 'peerId' | 'address'>,
): Promise<PeerLink> {
  const outcome = await firstValueFrom(host.dial({ peerId, addresses: [address], enr: null }));
  if (!outcome.ok) throw new Error(outcome.failure.detail);
  return outcome.value;
}
