import { SignableENR } from '@chainsafe/enr';
import type { PrivateKey } from '@libp2p/interface';
import { fromHex } from '../../../consensus/bits.ts';
import type { MetaData } from '../../../consensus/containers.ts';
import { FAR_FUTURE_EPOCH, forkStepAt, type Network, nextForkStep } from '../../../consensus/network.ts';

/** What we tell the network of ourselves: an honest light node that joins no subnet and keeps no blocks. */

/** fulu CUSTODY_REQUIREMENT: the least a node may claim, and what clients ban for falling short of. */
const OWN_CUSTODY_GROUPS = 4;

export const OWN_METADATA: MetaData = {
  // Clients take 0 for "never asked".
  seqNumber: 1,
  attnets: new Uint8Array(8),
  syncnets: new Uint8Array(1),
  custodyGroupCount: OWN_CUSTODY_GROUPS,
};

export interface OwnEndpoint {
  /** `null` when only others can tell: discv5 then sets the address, and its own port, by what peers say they see. */
  readonly ip: string | null;
  /** Where all ports below are of IPv6: the host has no other. */
  readonly isIp6?: boolean;
  readonly udpPort: number;
  readonly tcpPort: number;
  readonly quicPort?: number | undefined;
  /** Where it listens on IPv6 besides. */
  readonly tcp6Port?: number | undefined;
  readonly quic6Port?: number | undefined;
}

/**
 * Our ENR. The sequence number is the time of the start, so that a record made after a restart is the newer one. The
 * address is left out when it is not known: peers then learn it from discv5.
 */
export function ownRecord(
  key: PrivateKey,
  network: Network,
  epoch: number,
  startedMs: number,
  endpoint: OwnEndpoint | null,
): SignableENR {
  const record = SignableENR.createFromPrivateKey(key);
  for (const [entry, value] of forkEntries(network, epoch)) record.set(entry, value);
  record.set('attnets', OWN_METADATA.attnets);
  record.set('syncnets', OWN_METADATA.syncnets);
  record.set('cgc', Uint8Array.of(OWN_CUSTODY_GROUPS));
  if (endpoint !== null) setEndpoint(record, endpoint);
  record.seq = BigInt(startedMs);
  return record;
}

function setEndpoint(record: SignableENR, endpoint: OwnEndpoint): void {
  const { ip, isIp6 = false, udpPort, tcpPort, quicPort, tcp6Port, quic6Port } = endpoint;
  if (isIp6) {
    if (ip !== null) {
      record.ip6 = ip;
      record.udp6 = udpPort;
    }
    record.tcp6 = tcpPort;
    record.quic6 = quicPort;
    return;
  }
  if (ip !== null) {
    record.ip = ip;
    record.udp = udpPort;
  }
  record.tcp = tcpPort;
  record.quic = quicPort;
  record.tcp6 = tcp6Port;
  record.quic6 = quic6Port;
}

/** Brings a record to a later epoch. It is signed anew, under the next sequence number, only when something changes. */
export function advanceRecord(record: SignableENR, network: Network, epoch: number): void {
  for (const [entry, value] of forkEntries(network, epoch)) {
    if (Buffer.compare(record.kvs.get(entry) ?? new Uint8Array(0), value) !== 0) record.set(entry, value);
  }
}

/**
 * The entries that change with the forks: `eth2` (SSZ ENRForkID) and `nfd`. The next version is that of the next entry of the schedule,
 * which a blob-parameter-only fork leaves as it is: so Prysm writes it, and dials nobody who differs (p2p/fork.go `compareForkENR`). The
 * others look at the digest.
 */
export function forkEntries(network: Network, epoch: number): ReadonlyMap<string, Uint8Array> {
  const current = forkStepAt(network, epoch);
  const next = nextForkStep(network, epoch);
  const eth2 = Buffer.alloc(16);
  eth2.set(fromHex(current.digest) ?? [], 0);
  eth2.set(fromHex(next?.forkVersion ?? current.forkVersion) ?? [], 4);
  eth2.writeBigUInt64LE(next === undefined ? FAR_FUTURE_EPOCH : BigInt(next.epoch), 8);
  return new Map([
    ['eth2', new Uint8Array(eth2)],
    ['nfd', fromHex(next?.digest ?? '00000000') ?? new Uint8Array(4)],
  ]);
}
