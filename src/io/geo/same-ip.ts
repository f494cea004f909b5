import ipaddr from 'ipaddr.js';

/** The one way to write a valid IP address: IPv4 inside IPv6 as IPv4, IPv6 as RFC 5952 has it. */
export function sameIp(ip: string): string {
  return ipaddr.process(ip).toString();
}
