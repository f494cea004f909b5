/** Bit vectors as SSZ lays them out: bit `i` is byte `i >> 3`, bit `i & 7`, least significant first. */

/** Positions of the set bits, ascending. */
export function setBits(bytes: Uint8Array): number[] {
  const positions: number[] = [];
  for (let index = 0; index < bytes.length * 8; index++) {
    if (((bytes[index >> 3] ?? 0) >> (index & 7)) & 1) positions.push(index);
  }
  return positions;
}

/** A bit vector of `byteLength` bytes with the given positions set; positions outside it are ignored. */
export function bitsFrom(positions: Iterable<number>, byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  for (const position of positions) {
    const byte = position >> 3;
    if (position >= 0 && byte < byteLength) bytes[byte] = (bytes[byte] ?? 0) | (1 << (position & 7));
  }
  return bytes;
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** The bytes of a hex text with or without `0x`, or `null` when it is not hex. */
export function fromHex(text: string): Uint8Array | null {
  const digits = text.startsWith('0x') ? text.slice(2) : text;
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return null;
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

/** Bits of so many bytes in standard base64, or in hex as old producers wrote them; none at all are zeros. `null` for anything else. */
export function decodeBitVector(value: string, byteLength: number): Uint8Array | null {
  if (value === '') return new Uint8Array(byteLength);
  const digits = value.startsWith('0x') ? value.slice(2) : value;
  if (digits.length === byteLength * 2 && !digits.startsWith('0x')) return fromHex(digits);
  const base64Length = Math.ceil(byteLength / 3) * 4;
  if (value.length !== base64Length || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) return null;
  const bytes = new Uint8Array(Buffer.from(value, 'base64'));
  return bytes.length === byteLength ? bytes : null;
}
