import { defaultCrypto } from '@chainsafe/enr';

/** Node records by hand: RLP (Ethereum yellow paper, appendix B) and EIP-778, for comparison with the library's. */

export type RlpItem = Uint8Array | readonly RlpItem[];

export function encodeRlp(item: RlpItem): Buffer {
  if (item instanceof Uint8Array) {
    const [first] = item;
    if (item.length === 1 && first !== undefined && first < 0x80) return Buffer.from(item);
    return Buffer.concat([head(0x80, item.length), item]);
  }
  const body = Buffer.concat(item.map(encodeRlp));
  return Buffer.concat([head(0xc0, body.length), body]);
}

function head(base: number, length: number): Buffer {
  if (length < 56) return Buffer.of(base + length);
  const size = length < 256 ? Buffer.of(length) : Buffer.of(length >> 8, length & 0xff);
  return Buffer.concat([Buffer.of(base + 55 + size.length), size]);
}

/** Reads a list of byte strings, as real records are; of a list within it, the bytes. */
export function decodeFlatList(bytes: Buffer): Buffer[] {
  const outer = sizeAt(bytes, 0, 0xc0);
  const items: Buffer[] = [];
  for (let at = outer.start; at < outer.start + outer.length; ) {
    const first = bytes[at] ?? 0;
    const { start, length } = first < 0x80 ? { start: at, length: 1 } : sizeAt(bytes, at, first < 0xc0 ? 0x80 : 0xc0);
    items.push(bytes.subarray(start, start + length));
    at = start + length;
  }
  return items;
}

function sizeAt(bytes: Buffer, at: number, base: number): { start: number; length: number } {
  const code = (bytes[at] ?? 0) - base;
  if (code <= 55) return { start: at + 1, length: code };
  return { start: at + 1 + code - 55, length: bytes.readUIntBE(at + 1, code - 55) };
}

/** Sequence and entries of an `enr:` text, unverified. */
export function entriesOf(enr: string): { sequence: bigint; entries: ReadonlyMap<string, Buffer> } {
  const [, sequence = Buffer.alloc(0), ...rest] = decodeFlatList(Buffer.from(enr.slice(4), 'base64url'));
  const entries = new Map<string, Buffer>();
  for (let index = 0; index < rest.length; index += 2) {
    entries.set(rest[index]?.toString('latin1') ?? '', rest[index + 1] ?? Buffer.alloc(0));
  }
  return { sequence: BigInt(`0x${sequence.toString('hex') || '0'}`), entries };
}

export const RAW_KEY = new Uint8Array(Buffer.alloc(32, 7));

/** A record with these entries in this order, signed whatever they are. */
export function signedEnr(entries: readonly (readonly [string, RlpItem])[], sequence = Uint8Array.of(1)): string {
  const content: RlpItem[] = [sequence, ...entries.flatMap(([key, value]) => [Buffer.from(key), value])];
  const signature = defaultCrypto.sign(RAW_KEY, encodeRlp(content));
  return `enr:${encodeRlp([signature, ...content]).toString('base64url')}`;
}

/** As `signedEnr`, with `id` and the key in place and the keys sorted. */
export function enrWith(entries: Readonly<Record<string, RlpItem>>, sequence?: Uint8Array<ArrayBuffer>): string {
  const all: [string, RlpItem][] = Object.entries({
    ...entries,
    id: Buffer.from('v4'),
    secp256k1: defaultCrypto.publicKey(RAW_KEY),
  });
  return signedEnr(
    all.sort(([a], [b]) => (a < b ? -1 : 1)),
    sequence,
  );
}
