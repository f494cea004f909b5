import { ENR } from '@chainsafe/enr';

const IP_BYTES = { ip: 4, ip6: 16 } as const;
const PORTS = ['udp', 'udp6'] as const;
const PORT_BYTES = 2;

/**
 * The record as discv5 can ask by it, which reads addresses without looking: an entry that is no address or port of its kind
 * counts as missing and hides no other, a port below 256 is what it says (RLP has no leading zeros), and a node that tells an
 * IPv6 address and no `udp6` is at `udp` there (EIP-778).
 */
export function askable(enr: ENR): ENR {
  const entries = new Map(enr.kvs);
  for (const [key, length] of Object.entries(IP_BYTES)) if (entries.get(key)?.length !== length) entries.delete(key);
  for (const key of PORTS) {
    const port = paddedPort(entries.get(key));
    if (port === null) entries.delete(key);
    else entries.set(key, port);
  }
  const udp = entries.get('udp');
  if (entries.has('ip6') && !entries.has('udp6') && udp !== undefined) entries.set('udp6', udp);
  return new ENR(entries, enr.seq, enr.signature, enr.encode());
}

/** `null` for what is no port; an entry may also be a list, which the types of the library do not say. */
function paddedPort(value: unknown): Uint8Array | null {
  if (!(value instanceof Uint8Array) || value.length > PORT_BYTES || value.every((byte) => byte === 0)) return null;
  const port = new Uint8Array(PORT_BYTES);
  port.set(value, PORT_BYTES - value.length);
  return port;
}
