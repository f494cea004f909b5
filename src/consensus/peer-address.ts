import { isIP } from 'node:net';

/** Where a peer was reached, as the address of its connection says. */
export interface PeerAddress {
  readonly multiaddr: string;
  readonly ip: string;
  readonly port: number;
}

const IP_AND_PORT = /^\/ip([46])\/([0-9a-fA-F:.]{2,45})\/(?:tcp|udp)\/(\d{1,5})(?:\/|$)/;

/** Reads `/ip4|ip6/…/tcp/…` and `/ip4|ip6/…/udp/…/quic-v1`, where a peer listens. Total; all other text is `null`. */
export function parsePeerAddress(multiaddr: string): PeerAddress | null {
  const address = parseObservedAddress(multiaddr);
  return address === null || address.port === 0 ? null : address;
}

/** The same, and port 0 for a peer that dialled us and listens nowhere: where it is is known all the same. */
export function parseObservedAddress(multiaddr: string): PeerAddress | null {
  const match = IP_AND_PORT.exec(multiaddr);
  const ip = match?.[2];
  const port = Number(match?.[3]);
  if (ip === undefined || isIP(ip) !== Number(match?.[1]) || port > 65_535) return null;
  return { multiaddr, ip, port };
}
