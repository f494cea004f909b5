import { compressSync, uncompressSync } from 'snappy';
import type { ByteReader } from './byte-reader.ts';
import { crc32c } from './crc32c.ts';

/**
 * The `ssz_snappy` encoding of one request or response body (phase0/p2p-interface.md, "Encoding strategies"): its
 * length as a varint, then snappy frames.
 */

/** What a peer sent is not a well-formed body of the size agreed. */
export class MalformedPayload extends Error {
  override readonly name = 'MalformedPayload';
}

export const STREAM_IDENTIFIER = Buffer.from('ff060000734e61507059', 'hex');
const COMPRESSED = 0x00;
const UNCOMPRESSED = 0x01;
const FIRST_SKIPPABLE = 0x80;
const CHECKSUM_BYTES = 4;
const MAX_FRAME_BYTES = 65_536;
const MAX_VARINT_BYTES = 10;
const MAX_FRAMES = 64;

/** Writes a body of at most 64 KB, compressed where that saves an eighth, as the Go and Rust encoders do. */
export function encodePayload(body: Uint8Array): Buffer {
  const compressed = compressSync(body);
  const isSmaller = compressed.length < body.length - body.length / 8;
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeUInt32LE(maskedChecksum(body));
  const content = Buffer.concat([checksum, isSmaller ? compressed : body]);
  return Buffer.concat([varint(body.length), STREAM_IDENTIFIER, frame(isSmaller ? COMPRESSED : UNCOMPRESSED, content)]);
}

/** One frame: its type, the length of its content, and the content. */
export function frame(type: number, content: Uint8Array): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt8(type, 0);
  header.writeUIntLE(content.length, 1, 3);
  return Buffer.concat([header, content]);
}

/**
 * Reads a body of `minBytes` to `maxBytes`, never more from the stream than such a body can take.
 * @throws MalformedPayload when it is not one, UnexpectedEnd when the stream ends early.
 */
export async function readPayload(reader: ByteReader, minBytes: number, maxBytes = minBytes): Promise<Buffer> {
  const length = await readVarint(reader);
  if (length < minBytes || length > maxBytes) throw new MalformedPayload(`a body of ${length} bytes`);
  let body = Buffer.alloc(0);
  for (let count = 0; body.length < length; count++) {
    if (count === MAX_FRAMES) throw new MalformedPayload(`more than ${MAX_FRAMES} frames`);
    body = Buffer.concat([body, await readFrame(reader, count === 0, length - body.length)]);
  }
  return body;
}

async function readFrame(reader: ByteReader, isFirst: boolean, maxBytes: number): Promise<Buffer> {
  const header = await reader.take(4);
  const type = header.readUInt8(0);
  const length = header.readUIntLE(1, 3);
  if (length > maxCompressedBytes(MAX_FRAME_BYTES) + CHECKSUM_BYTES) throw new MalformedPayload('an oversized frame');
  const content = await reader.take(length);
  if (isFirst) {
    if (!Buffer.concat([header, content]).equals(STREAM_IDENTIFIER)) throw new MalformedPayload('not a snappy stream');
    return Buffer.alloc(0);
  }
  if (type >= FIRST_SKIPPABLE) return Buffer.alloc(0);
  if (type !== COMPRESSED && type !== UNCOMPRESSED) throw new MalformedPayload(`a frame of type ${type}`);
  if (length < CHECKSUM_BYTES) throw new MalformedPayload('a frame without a checksum');
  const data = content.subarray(CHECKSUM_BYTES);
  const plain = type === COMPRESSED ? uncompress(data, maxBytes) : data;
  if (plain.length > maxBytes) throw new MalformedPayload('more data than announced');
  if (content.readUInt32LE(0) !== maskedChecksum(plain)) throw new MalformedPayload('a wrong checksum');
  return plain;
}

function uncompress(data: Buffer, maxBytes: number): Buffer {
  const plainLength = rawSnappyLength(data);
  if (plainLength > maxBytes) throw new MalformedPayload('more data than announced');
  try {
    return uncompressSync(data, { asBuffer: true }) as Buffer;
  } catch (error) {
    throw new MalformedPayload(`snappy: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The decompressed length that a raw snappy block announces, read before anything is allocated for it. */
function rawSnappyLength(data: Buffer): number {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = data[index];
    if (byte === undefined) throw new MalformedPayload('a truncated snappy block');
    value += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) return value;
  }
  throw new MalformedPayload('a snappy length beyond 32 bits');
}

async function readVarint(reader: ByteReader): Promise<number> {
  let value = 0;
  for (let index = 0; index < MAX_VARINT_BYTES; index++) {
    const byte = (await reader.take(1)).readUInt8(0);
    value += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) return value;
  }
  throw new MalformedPayload('a varint of more than 10 bytes');
}

/** An unsigned varint, least significant bits first. */
export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

/** max_compressed_len (phase0/p2p-interface.md). */
function maxCompressedBytes(plainBytes: number): number {
  return 32 + plainBytes + Math.floor(plainBytes / 6);
}

/** The framing format rotates and shifts checksums, lest a checksum of a checksum be stored beside itself. */
function maskedChecksum(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
