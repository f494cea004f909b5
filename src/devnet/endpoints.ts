import type { AddressBlock } from './addresses.ts';
import type { Kind } from './kinds.ts';
import { privateIp } from './private-ip.ts';

/** Where a node listens, and what its record says of that. */

export interface Endpoints {
  /** Multiaddrs of libp2p. */
  readonly listen: readonly string[];
  /** Multiaddrs of discv5, one a family. */
  readonly discovery: { readonly ip4?: string; readonly ip6?: string };
  /** The entries `ip tcp udp quic ip6 tcp6 udp6 quic6` of the record, as far as it has them. */
  readonly entries: Readonly<Record<string, Uint8Array>>;
}

const IP6_LOOPBACK = '::1';

/** Chooses a node's addresses by how it can be reached; `withQuic` is whether one with TCP and IPv4 has QUIC besides. */
export async function endpointsOf(
  { reach, behaviour }: Pick<Kind, 'reach' | 'behaviour'>,
  index: number,
  block: AddressBlock,
  withQuic = false,
): Promise<Endpoints> {
  const { port } = block;
  const host = block.host(index);
  const ip4 = { ip: new Uint8Array(host.split('.').map(Number)) };
  const tcp4 = `/ip4/${host}/tcp/${port}`;
  const udp4 = `/ip4/${host}/udp/${port}`;
  // discv5 has the UDP port of the same number.
  const quicPort = port + 1;
  const quic4 = `/ip4/${host}/udp/${quicPort}/quic-v1`;

  // Without a UDP port, as everybody would send datagrams there.
  if (behaviour === 'private-address') {
    return { listen: [], discovery: { ip4: udp4 }, entries: { ...privateIp(), tcp: portBytes(port) } };
  }
  switch (reach) {
    case 'nat':
      return { listen: [], discovery: { ip4: udp4 }, entries: {} };
    case 'quic-only':
      return {
        listen: [quic4],
        discovery: { ip4: udp4 },
        entries: { ...ip4, udp: portBytes(port), quic: portBytes(quicPort) },
      };
    case 'ipv6-only': {
      const port6 = await block.claimIp6Port();
      return {
        listen: [`/ip6/${IP6_LOOPBACK}/tcp/${port6}`],
        discovery: { ip6: `/ip6/${IP6_LOOPBACK}/udp/${port6}` },
        entries: { ...ip6Entry(), tcp6: portBytes(port6), udp6: portBytes(port6) },
      };
    }
    case 'dual-stack': {
      const port6 = await block.claimIp6Port();
      return {
        listen: [tcp4, quic4, `/ip6/${IP6_LOOPBACK}/tcp/${port6}`, `/ip6/${IP6_LOOPBACK}/udp/${port6 + 1}/quic-v1`],
        discovery: { ip4: udp4, ip6: `/ip6/${IP6_LOOPBACK}/udp/${port6}` },
        entries: {
          ...ip4,
          ...ip6Entry(),
          tcp: portBytes(port),
          udp: portBytes(port),
          quic: portBytes(quicPort),
          tcp6: portBytes(port6),
          udp6: portBytes(port6),
          quic6: portBytes(port6 + 1),
        },
      };
    }
    default: {
      const quic = withQuic && reach === 'tcp' ? { quic: portBytes(quicPort) } : {};
      return {
        listen: 'quic' in quic ? [tcp4, quic4] : [tcp4],
        discovery: { ip4: udp4 },
        entries: { ...ip4, tcp: portBytes(port), udp: portBytes(port), ...quic },
      };
    }
  }
}

function ip6Entry(): { ip6: Uint8Array } {
  const ip6 = new Uint8Array(16);
  ip6[15] = 1;
  return { ip6 };
}

function portBytes(port: number): Uint8Array {
  return new Uint8Array([port >> 8, port & 255]);
}
