import { decodeFrames, encodeFrames, type ReadBytes } from './snappy-frames.ts';

/** Requests and response chunks: a length and snappy frames (phase0/p2p-interface.md, "Encoding strategies"). */

export const RESULT = { success: 0, invalidRequest: 1, serverError: 2, resourceUnavailable: 3 } as const;

/** Error messages are List[byte, 256]. */
const MAX_ERROR_BYTES = 256;
const MAX_VARINT_BYTES = 10;

export type PayloadResult = { readonly bytes: Uint8Array } | { readonly problem: string } | { readonly ended: true };

/** A request's bytes; an empty body (MetaData) is no bytes at all. */
export function encodeRequest(body: Uint8Array): Uint8Array {
  return body.length === 0 ? body : encodePayload(body);
}

/** One response chunk without context bytes. */
export function encodeResponse(result: number, body: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(result), encodePayload(body)]);
}

export function encodeErrorResponse(result: number, message: string): Uint8Array {
  return encodeResponse(result, new TextEncoder().encode(message).subarray(0, MAX_ERROR_BYTES));
}

function encodePayload(body: Uint8Array): Uint8Array {
  return Buffer.concat([encodeVarint(body.length), encodeFrames(body)]);
}

/** Reads a payload that must be exactly `size` bytes; the size is checked before anything else is read. */
export async function decodePayload(read: ReadBytes, size: number): Promise<PayloadResult> {
  const length = await readVarint(read);
  if (length === null) return { ended: true };
  if (length !== size) return { problem: `announces ${length} bytes, expected ${size}` };
  return decodeFrames(read, size);
}

/** Reads a payload of any size up to `limit` bytes, checked before anything else is read. */
export async function decodePayloadUpTo(read: ReadBytes, limit: number): Promise<PayloadResult> {
  const length = await readVarint(read);
  if (length === null) return { ended: true };
  if (length > limit) return { problem: `announces ${length} bytes, at most ${limit} allowed` };
  return decodeFrames(read, length);
}

export type ResponseResult =
  | { readonly bytes: Uint8Array }
  | { readonly error: number; readonly message: string }
  | { readonly problem: string }
  | { readonly ended: true };

/** Reads a response of a single chunk. */
export async function decodeResponse(read: ReadBytes, size: number): Promise<ResponseResult> {
  const result = (await read(1))?.[0];
  if (result === undefined) return { ended: true };
  if (result === RESULT.success) return decodePayload(read, size);
  return { error: result, message: await readErrorMessage(read) };
}

async function readErrorMessage(read: ReadBytes): Promise<string> {
  const payload = await decodePayloadUpTo(read, MAX_ERROR_BYTES);
  return 'bytes' in payload ? printable(payload.bytes) : '';
}

/** A stranger's text is shown to people: nothing that moves a cursor or hides. */
function printable(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/[^\x20-\x7e]/g, '?');
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return Uint8Array.from([...bytes, rest]);
}

/** An unsigned varint of at most ten bytes; `null` when the stream ends first, Infinity when it is longer. */
async function readVarint(read: ReadBytes): Promise<number | null> {
  let value = 0;
  for (let index = 0; index < MAX_VARINT_BYTES; index++) {
    const byte = (await read(1))?.[0];
    if (byte === undefined) return null;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value;
  }
  return Number.POSITIVE_INFINITY;
}
