import { networkInterfaces } from 'node:os';

/** Networks that are nobody's in public (RFC 1918, 6598, 3927 and 5737), as the beginnings of addresses. */
const PRIVATE_IP4 =
  /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|169\.254\.|192\.0\.2\.)/;
/** Broadcast: no TCP connection to it can be made. */
const NOWHERE = '255.255.255.255';

/**
 * An address that no crawler should dial, as the entries of a record. It is one of this machine's own if it has one in
 * a private network: what a crawler sends there by mistake never leaves the machine.
 */
export function privateIp(): { ip: Uint8Array } {
  const own = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses);
  const address = own.find(({ family, address }) => family === 'IPv4' && PRIVATE_IP4.test(address))?.address ?? NOWHERE;
  return { ip: new Uint8Array(address.split('.').map(Number)) };
}
