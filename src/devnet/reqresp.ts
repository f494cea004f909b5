import type { Connection, Stream } from '@libp2p/interface';
import { ByteReader } from './byte-reader.ts';
import { REQUEST_TIMEOUT_MS } from './clients.ts';
import { encodePayload, MalformedPayload, readPayload } from './payload.ts';

/** Requests and responses over libp2p streams (phase0/p2p-interface.md, "The Req/Resp domain"). */

export type Method =
  | 'status/1'
  | 'status/2'
  | 'metadata/1'
  | 'metadata/2'
  | 'metadata/3'
  | 'ping/1'
  | 'goodbye/1'
  | 'beacon_blocks_by_range/2'
  | 'beacon_blocks_by_root/2';

export const RESULT = { success: 0, invalidRequest: 1 } as const;
const MAX_ERROR_MESSAGE_BYTES = 256;

export function protocolId(method: Method): string {
  return `/eth2/beacon_chain/req/${method}/ssz_snappy`;
}

/** The method that a stream opened with several protocol ids was negotiated to. */
export function methodOf(stream: { readonly protocol?: string | undefined }): Method {
  return (stream.protocol ?? '').split('/').slice(4, 6).join('/') as Method;
}

/** The peer answered with an error of its own. */
export class ErrorResponse extends Error {
  override readonly name = 'ErrorResponse';
}

/**
 * Asks for the newest of some versions of a method that the peer speaks. Resolves with the SSZ bytes of the response.
 * @throws ErrorResponse, MalformedPayload, UnexpectedEnd, or libp2p's errors: connection gone, protocol not spoken.
 */
export async function request(
  connection: Connection,
  { methods, body, responseBytes }: Request,
  signal: AbortSignal,
): Promise<{ method: Method; body: Buffer }> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
  const stream = await connection.newStream(methods.map(protocolId), { signal: deadline });
  return await guarded(stream, deadline, async () => {
    const method = methodOf(stream);
    await stream.sink(body.length === 0 ? [] : [encodePayload(body)]);
    const reader = new ByteReader(stream.source);
    const result = (await reader.take(1)).readUInt8(0);
    if (result !== RESULT.success) {
      const message = await readPayload(reader, 0, MAX_ERROR_MESSAGE_BYTES);
      throw new ErrorResponse(`result ${result}: ${message.toString('utf8')}`);
    }
    return { method, body: await readPayload(reader, responseBytes(method)) };
  });
}

export interface Request {
  /** Versions of one method, newest first. */
  readonly methods: readonly Method[];
  /** SSZ; empty for a request without a body. */
  readonly body: Uint8Array;
  readonly responseBytes: (method: Method) => number;
}

/** Asks, and resolves with the result code of the first response, whatever follows it. */
export async function requestResult(
  connection: Connection,
  { methods, body }: Pick<Request, 'methods' | 'body'>,
  signal: AbortSignal,
): Promise<number> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
  const stream = await connection.newStream(methods.map(protocolId), { signal: deadline });
  return await guarded(stream, deadline, async () => {
    await stream.sink([encodePayload(body)]);
    return (await new ByteReader(stream.source).take(1)).readUInt8(0);
  });
}

/** Sends a request that nobody answers, such as Goodbye. */
export async function notify(
  connection: Connection,
  method: Method,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
  const stream = await connection.newStream(protocolId(method), { signal: deadline });
  await guarded(stream, deadline, () => stream.sink([encodePayload(body)]));
}

/** How a method is answered. */
export interface Answer {
  /** Size of the request's SSZ body, 0 when it has none. */
  readonly requestBytes: number;
  /** Whether to read up to the end of the asker's side before answering. */
  readonly waitsForHalfClose: boolean;
  /** The SSZ body of the response, or `null` for a method without one. */
  respond(): Uint8Array | null;
}

/**
 * Reads one request from a stream, answers it, and resolves with the request's body, which `onRead` hears of before the
 * answer is sent. A malformed request is answered with InvalidRequest and then thrown.
 */
export async function answer(
  stream: Stream,
  how: Answer,
  signal: AbortSignal,
  onRead: (body: Buffer) => void = () => undefined,
): Promise<Buffer> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
  return await guarded(stream, deadline, async () => {
    try {
      const body = await readRequest(stream, how);
      onRead(body);
      const response = how.respond();
      await stream.sink(response === null ? [] : [responseChunk(RESULT.success, response)]);
      return body;
    } catch (error) {
      if (error instanceof MalformedPayload) {
        await stream.sink([responseChunk(RESULT.invalidRequest, Buffer.from(error.message))]);
      }
      throw error;
    }
  });
}

/** Refuses a request without reading it. */
export async function refuse(stream: Stream, result: number, message: string, signal: AbortSignal): Promise<void> {
  await guarded(stream, signal, async () => {
    await stream.sink([responseChunk(result, Buffer.from(message))]);
    await stream.closeRead({ signal });
  });
}

/** Sends bytes in answer to a request that is read up to its end or not at all; for nodes that lie. */
export async function answerWith(
  stream: Stream,
  bytes: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  await guarded(stream, signal, () => stream.sink(bytes(signal)));
}

async function readRequest(stream: Stream, { requestBytes, waitsForHalfClose }: Answer): Promise<Buffer> {
  const reader = new ByteReader(stream.source);
  const body = requestBytes === 0 ? Buffer.alloc(0) : await readPayload(reader, requestBytes);
  if (waitsForHalfClose && !(await reader.atEnd())) throw new MalformedPayload('more than one request');
  return body;
}

export function responseChunk(result: number, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([result]), encodePayload(body)]);
}

/** Closes the stream after the work, or resets it when the work fails or is called off. */
async function guarded<T>(stream: Stream, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const abort = () => stream.abort(signal.reason instanceof Error ? signal.reason : new Error('called off'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    const result = await work();
    await stream.close({ signal });
    return result;
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)));
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
