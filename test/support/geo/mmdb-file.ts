import { writeFile } from 'node:fs/promises';
import ipaddr from 'ipaddr.js';

type Value = string | number | boolean | Value[] | { [key: string]: Value };

/**
 * Writes a small database as the MaxMind DB format specification 2.0 has it: a search tree with 24-bit records, 16 zero
 * bytes, the data, the marker and the metadata.
 */
export async function writeMmdb(
  path: string,
  { type, records, ipVersion = 6 }: { type: string; records: Readonly<Record<string, Value>>; ipVersion?: 4 | 6 },
): Promise<void> {
  const data: Uint8Array[] = [];
  let dataBytes = 0;
  const nodes: [Slot, Slot][] = [[null, null]];
  for (const [network, record] of Object.entries(records)) {
    insert(nodes, bitsOf(network, ipVersion), { data: dataBytes });
    const bytes = encode(record);
    data.push(bytes);
    dataBytes += bytes.length;
  }
  const tree = new Uint8Array(nodes.length * 6);
  nodes.flat().forEach((slot, index) => {
    const value = slot === null ? nodes.length : typeof slot === 'number' ? slot : nodes.length + 16 + slot.data;
    tree.set([value >> 16, (value >> 8) & 255, value & 255], index * 3);
  });
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_780_000_000,
    database_type: type,
    description: {},
    ip_version: ipVersion,
    languages: ['en'],
    node_count: nodes.length,
    record_size: 24,
  });
  await writeFile(
    path,
    Buffer.concat([tree, new Uint8Array(16), ...data, Buffer.from('abcdef4d61784d696e642e636f6d', 'hex'), metadata]),
  );
}

/** A node, data, or nothing. */
type Slot = number | { readonly data: number } | null;

function insert(nodes: [Slot, Slot][], bits: readonly (0 | 1)[], leaf: { data: number }): void {
  let node = nodes[0] as [Slot, Slot];
  for (const bit of bits.slice(0, -1)) {
    let next = node[bit];
    if (typeof next !== 'number') {
      next = nodes.push([null, null]) - 1;
      node[bit] = next;
    }
    node = nodes[next] as [Slot, Slot];
  }
  node[bits.at(-1) as 0 | 1] = leaf;
}

/** In a database of both families IPv4 is in ::/96. */
function bitsOf(network: string, ipVersion: 4 | 6): (0 | 1)[] {
  const [address, length] = ipaddr.parseCIDR(network);
  const bytes = address.toByteArray();
  const padded = bytes.length === 4 && ipVersion === 6 ? [...new Array<number>(12).fill(0), ...bytes] : bytes;
  const prefixLength = length + (padded.length - bytes.length) * 8;
  return padded
    .flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((shift) => ((byte >> shift) & 1) as 0 | 1))
    .slice(0, prefixLength);
}

function encode(value: Value): Buffer {
  if (typeof value === 'string') return Buffer.concat([control(2, Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === 'boolean') return control(14, value ? 1 : 0);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return Buffer.concat([control(6, 4), bytes]);
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return Buffer.concat([control(3, 8), bytes]);
  }
  if (Array.isArray(value)) return Buffer.concat([control(11, value.length), ...value.map(encode)]);
  const entries = Object.entries(value);
  return Buffer.concat([control(7, entries.length), ...entries.flatMap(([key, held]) => [encode(key), encode(held)])]);
}

/** The control byte, with the type in a byte of its own from 8 on, and the size beyond 28 in the next. */
function control(type: number, size: number): Buffer {
  const small = Math.min(size, 29);
  const bytes = type < 8 ? [(type << 5) | small] : [small, type - 7];
  return Buffer.from(size < 29 ? bytes : [...bytes, size - 29]);
}
