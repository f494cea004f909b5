import { crc32c } from '@node-rs/crc32';
import { compressSync, uncompressSync } from 'snappy';

/** The snappy framing format (google/snappy framing_format.txt), as far as request/response needs it. */

const STREAM_IDENTIFIER = Uint8Array.of(0xff, 0x06, 0x00, 0x00, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59);
const COMPRESSED = 0x00;
const UNCOMPRESSED = 0x01;
const IDENTIFIER = 0xff;
/** Chunk types from here on may be skipped. */
const SKIPPABLE = 0x80;

const MAX_CHUNK_BYTES = 65_536;
const HEADER_BYTES = 4;
const CHECKSUM_BYTES = 4;

/** CRC-32C of the uncompressed bytes, masked as the format says. */
function maskedChecksum(bytes: Uint8Array): number {
  const crc = crc32c(Buffer.from(bytes));
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** The stream identifier and as many chunks as the bytes need. */
export function encodeFrames(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [STREAM_IDENTIFIER];
  for (let offset = 0; offset < bytes.length; offset += MAX_CHUNK_BYTES) {
    const plain = bytes.subarray(offset, offset + MAX_CHUNK_BYTES);
    const compressed = compressSync(Buffer.from(plain));
    const smaller = compressed.length < plain.length;
    const data = smaller ? compressed : plain;
    const header = Buffer.alloc(HEADER_BYTES + CHECKSUM_BYTES);
    header.writeUInt8(smaller ? COMPRESSED : UNCOMPRESSED, 0);
    header.writeUIntLE(CHECKSUM_BYTES + data.length, 1, 3);
    header.writeUInt32LE(maskedChecksum(plain), HEADER_BYTES);
    parts.push(header, data);
  }
  return Buffer.concat(parts);
}

/** The most bytes that a frame of `length` uncompressed bytes may take (phase0/p2p-interface.md, max_compressed_len). */
export function maxFramedBytes(length: number): number {
  return STREAM_IDENTIFIER.length + HEADER_BYTES + CHECKSUM_BYTES + 32 + length + Math.floor(length / 6);
}

/** Reads exactly `count` bytes, or `null` when the other side ended before. */
export type ReadBytes = (count: number) => Promise<Uint8Array | null>;

export type FrameResult = { readonly bytes: Uint8Array } | { readonly problem: string };

/**
 * Reads frames until `length` uncompressed bytes are there; none at all when that is 0. Total: bad input gives a problem; never takes more than
 * {@link maxFramedBytes} from the reader, and never unpacks more than was announced.
 */
export async function decodeFrames(read: ReadBytes, length: number): Promise<FrameResult> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  let budget = maxFramedBytes(length);
  let identified = false;

  while (filled < length) {
    const header = await read(HEADER_BYTES);
    if (header === null) return { problem: 'ended inside a snappy frame' };
    const type = header[0] ?? 0;
    const size = (header[1] ?? 0) | ((header[2] ?? 0) << 8) | ((header[3] ?? 0) << 16);
    budget -= HEADER_BYTES + size;
    if (budget < 0) return { problem: 'more snappy bytes than the length allows' };
    const body = await read(size);
    if (body === null) return { problem: 'ended inside a snappy chunk' };

    if (type === IDENTIFIER) {
      if (Buffer.compare(STREAM_IDENTIFIER.subarray(HEADER_BYTES), body) !== 0) {
        return { problem: 'not a snappy stream identifier' };
      }
      identified = true;
      continue;
    }
    if (!identified) return { problem: 'snappy chunk before the stream identifier' };
    if (type >= SKIPPABLE) continue;
    if (type !== COMPRESSED && type !== UNCOMPRESSED) return { problem: `snappy chunk type ${type}` };

    const plain = unpack(body, type === COMPRESSED, length - filled);
    if (plain === null) return { problem: 'snappy chunk that does not unpack to what was announced' };
    bytes.set(plain, filled);
    filled += plain.length;
  }
  return { bytes };
}

/** The chunk's data, or `null` when it is larger than `room`, broken, or fails its checksum. */
function unpack(body: Uint8Array, compressed: boolean, room: number): Uint8Array | null {
  if (body.length < CHECKSUM_BYTES) return null;
  const checksum = new DataView(body.buffer, body.byteOffset).getUint32(0, true);
  const data = body.subarray(CHECKSUM_BYTES);
  const limit = Math.min(room, MAX_CHUNK_BYTES);
  if ((compressed ? announcedLength(data) : data.length) > limit) return null;
  const plain = compressed ? uncompress(data) : data;
  return plain !== null && plain.length <= limit && maskedChecksum(plain) === checksum ? plain : null;
}

/** The length that a raw snappy block announces, read before anything is allocated for it. */
function announcedLength(block: Uint8Array): number {
  let length = 0;
  for (let index = 0; index < 5; index++) {
    const byte = block[index];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return length;
  }
  return Number.POSITIVE_INFINITY;
}

function uncompress(block: Uint8Array): Uint8Array | null {
  try {
    return uncompressSync(Buffer.from(block)) as Uint8Array;
  } catch {
    return null;
  }
}
