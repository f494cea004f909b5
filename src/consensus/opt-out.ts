import ipaddr from 'ipaddr.js';
import { ipOfMultiaddr } from './address-policy.ts';
import { decodeNodeRecord } from './node-record.ts';

/**
 * Operators who asked to be left alone: peer ids, node ids, IP addresses and networks that are never contacted, and of which nothing is
 * kept.
 */
export interface OptOut {
  /** @param nodeId 32 bytes of hex, or `null` when only the peer id is known */
  covers(peer: { readonly peerId: string; readonly nodeId: string | null; readonly ips: readonly string[] }): boolean;
  readonly size: number;
}

export const NOBODY: OptOut = { covers: () => false, size: 0 };

type Range = ReturnType<typeof ipaddr.parseCIDR>;

export type ParsedOptOut =
  | { readonly ok: true; readonly value: OptOut }
  | { readonly ok: false; readonly reason: string };

/**
 * Reads a list: one peer id, node id (64 hex digits), address or network (`192.0.2.0/24`) a line; blank lines and `#` comments are
 * ignored. A line that is none of these makes the whole list invalid, since an operator's wish must not be lost to a typing error.
 */
export function parseOptOut(text: string): ParsedOptOut {
  const ids = new Set<string>();
  const ranges: Range[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const entry = line.replace(/#.*/, '').trim();
    if (entry === '') continue;
    const range = rangeOf(entry);
    if (range !== null) ranges.push(range);
    else if (/^(0x)?[0-9a-f]{64}$/i.test(entry)) ids.add(entry.replace(/^0x/, '').toLowerCase());
    else if (/^(16Uiu2HA|12D3KooW|Qm)[1-9A-HJ-NP-Za-km-z]{40,52}$/.test(entry)) ids.add(entry);
    else return { ok: false, reason: `line ${index + 1} is neither a peer id, a node id, an address nor a network` };
  }
  const covers: OptOut['covers'] = ({ peerId, nodeId, ips }) =>
    ids.has(peerId) ||
    (nodeId !== null && ids.has(nodeId)) ||
    ips.some((ip) => ranges.some((range) => contains(range, ip)));
  return { ok: true, value: { covers, size: ids.size + ranges.length } };
}

/** Whether the list covers a peer of which these multiaddrs and perhaps a record are known. */
export function coversPeer(
  optOut: OptOut,
  peer: { readonly peerId: string; readonly enr: string | null; readonly addresses: readonly string[] },
): boolean {
  // Verifying the records of all known peers takes seconds.
  if (optOut.size === 0) return false;
  const decoded = peer.enr === null ? null : decodeNodeRecord(peer.enr);
  const record = decoded?.ok ? decoded.value : null;
  const claimed = [...(record?.addresses ?? []), ...(record?.udp ?? [])].map(({ ip }) => ip);
  const reached = peer.addresses.flatMap((address) => ipOfMultiaddr(address) ?? []);
  return optOut.covers({
    peerId: record?.peerId ?? peer.peerId,
    nodeId: record?.nodeId ?? null,
    ips: [...claimed, ...reached],
  });
}

function rangeOf(entry: string): Range | null {
  if (ipaddr.isValidCIDR(entry)) return ipaddr.parseCIDR(entry);
  if (!ipaddr.isValid(entry) || !/[.:]/.test(entry)) return null;
  const address = ipaddr.process(entry);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function contains([network, bits]: Range, ip: string): boolean {
  if (!ipaddr.isValid(ip)) return false;
  const address = ipaddr.process(ip);
  return address.kind() === network.kind() && address.match(network, bits);
}
