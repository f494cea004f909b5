import { networkInterfaces } from 'node:os';

/** Where libp2p listens, as multiaddrs. */

/** discv5 wants another port for its second socket; this is the distance that Lodestar keeps. */
export const IP6_PORT_DISTANCE = 90;

/** Whether the host has an address of IPv6 that others may reach. */
export function hasIp6(): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap((interfaces) => interfaces ?? []);
  return addresses.some(
    ({ family, internal, address }) => family === 'IPv6' && !internal && !address.startsWith('fe80'),
  );
}

/** QUIC is one port above where discv5 and TCP are. */
const QUIC_PORT_DISTANCE = 1;

/** The QUIC port that goes with a TCP port; 0 picks a free one, as there. */
export function quicPortFor(tcpPort: number): number {
  return tcpPort === 0 ? 0 : tcpPort + QUIC_PORT_DISTANCE;
}

export function listenAddresses(ip: string, tcp: number, quic: number): string[] {
  const address = `/${family(ip)}/${ip}`;
  return [`${address}/tcp/${tcp}`, `${address}/udp/${quic}/quic-v1`];
}

/** The TCP port among the addresses of an IP address's family. */
export function tcpPort(addresses: readonly string[], ip: string): number | undefined {
  return portOf(addresses, new RegExp(`^/${family(ip)}.*/tcp/(\\d+)`));
}

/** The QUIC port, likewise. */
export function quicPort(addresses: readonly string[], ip: string): number | undefined {
  return portOf(addresses, new RegExp(`^/${family(ip)}.*/udp/(\\d+)/quic-v1`));
}

function family(ip: string): 'ip4' | 'ip6' {
  return ip.includes(':') ? 'ip6' : 'ip4';
}

/** The port of the first address that the pattern captures one of. */
function portOf(addresses: readonly string[], pattern: RegExp): number | undefined {
  const port = addresses.map((address) => pattern.exec(address)?.[1]).find((found) => found !== undefined);
  return port === undefined ? undefined : Number(port);
}
