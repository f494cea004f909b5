import ipaddr from 'ipaddr.js';
import type { Network } from './network.ts';

/** Which addresses a crawler may dial, and how many nodes it believes behind one of them. */

/**
 * Whether an IP address is public unicast: the only kind that is dialled on a public network, whatever a record or
 * identify claims. Private, loopback, link-local, multicast, reserved and tunnelled ranges are not; an IPv4 address in
 * IPv6 clothes is judged by what it wears underneath. Total: anything else than an IP address is not public.
 */
export function isPublicUnicast(ip: string): boolean {
  if (!ipaddr.isValid(ip) || (!ip.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(ip))) return false;
  // process() turns ::ffff:a.b.c.d into a.b.c.d.
  return ipaddr.process(ip).range() === 'unicast';
}

/** Whether an address may be dialled, or asked over discv5, on this network. Total. */
export function mayContact({ isPublic, dialsAnyAddress = false }: Network, ip: string): boolean {
  if (dialsAnyAddress) return ipaddr.isValid(ip);
  if (isPublic) return isPublicUnicast(ip);
  return ipaddr.isValid(ip) && ipaddr.process(ip).range() === 'loopback';
}

/** The IP address in a multiaddr, or `null`. */
export function ipOfMultiaddr(multiaddr: string): string | null {
  return /^\/ip[46]\/([^/]+)\//.exec(`${multiaddr}/`)?.[1] ?? null;
}

/** The neighbourhood that one operator is likely to hold as a whole: /24 for IPv4, /64 for IPv6. */
export function ipPrefix(ip: string): string {
  if (!ipaddr.isValid(ip)) return ip;
  const address = ipaddr.process(ip);
  const length = address.kind() === 'ipv4' ? 24 : 64;
  const bytes = address.toByteArray().slice(0, length / 8);
  return `${bytes.join('.')}/${length}`;
}

/** How many at a time, by IP address and by prefix. */
export interface CrowdLimits {
  readonly perIp: number;
  readonly perPrefix: number;
}

/** Counts things by the IP address they belong to, and says when one place has enough of them. */
export interface Crowd {
  hasRoom(ip: string): boolean;
  enter(ip: string): void;
  leave(ip: string): void;
}

export function createCrowd({ perIp, perPrefix }: CrowdLimits): Crowd {
  const counts = new Map<string, number>();
  const change = (key: string, by: number) => {
    const next = (counts.get(key) ?? 0) + by;
    if (next > 0) counts.set(key, next);
    else counts.delete(key);
  };
  return {
    hasRoom: (ip) => (counts.get(ip) ?? 0) < perIp && (counts.get(ipPrefix(ip)) ?? 0) < perPrefix,
    enter(ip) {
      change(ip, 1);
      change(ipPrefix(ip), 1);
    },
    leave(ip) {
      change(ip, -1);
      change(ipPrefix(ip), -1);
    },
  };
}
