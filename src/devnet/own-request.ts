import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '@libp2p/interface';
import { ByteReader, UnexpectedEnd } from './byte-reader.ts';
import type { RequestEnd } from './clients/rules.ts';
import { REQUEST_TIMEOUT_MS } from './clients.ts';
import { NegotiationBroken, negotiate } from './negotiation.ts';
import { encodePayload, MalformedPayload, readPayload } from './payload.ts';
import { openRawStream, type RawStream } from './raw-stream.ts';
import { type Method, methodOf, protocolId, RESULT } from './reqresp.ts';

/** Requests of a node whose every way of ending is told apart, as its client tells them apart. */

export interface OwnRequest {
  /** Versions of one method, newest first. */
  readonly methods: readonly Method[];
  /** SSZ; empty for a request without a body. */
  readonly body: Uint8Array;
  /** Size of the answer's SSZ body, or `null` where the result code is all that is read. */
  readonly answerBytes: ((method: Method) => number) | null;
}

export interface OwnResult {
  readonly end: RequestEnd;
  /** Whether the connection has ended together with the request. */
  readonly wasLast: boolean;
  readonly method: Method | null;
  /** SSZ of an answer. */
  readonly body: Buffer | null;
}

/** Clients wait for a protocol for so long (Lighthouse and go-libp2p: 10 s and more, Lodestar 5 s). */
const NEGOTIATION_TIMEOUT_MS = 10_000;
/** A stream that fails together with its connection fails first here; after so long it is known which of the two it was. */
const SETTLE_MS = 20;

/** Asks, and resolves with how that has ended; never rejects. */
export async function askPeer(connection: Connection, asked: OwnRequest, signal: AbortSignal): Promise<OwnResult> {
  let raw: RawStream;
  try {
    raw = await openRawStream(connection);
  } catch {
    return ended({ how: 'disconnected', negotiated: false });
  }
  const progress: Progress = { method: null, answered: 0 };
  const timeout = AbortSignal.timeout(NEGOTIATION_TIMEOUT_MS + REQUEST_TIMEOUT_MS);
  const abort = () => raw.stream.abort(new DOMException('called off', 'TimeoutError'));
  const deadline = AbortSignal.any([signal, timeout]);
  deadline.addEventListener('abort', abort, { once: true });
  try {
    return await converse(raw, asked, progress);
  } catch (error) {
    if (!timeout.aborted) await delay(SETTLE_MS);
    const end = timeout.aborted ? timedOut(progress) : endOf(error, raw, connection, progress);
    raw.stream.abort(error instanceof Error ? error : new Error(String(error)));
    return { end, wasLast: connection.status !== 'open', method: progress.method, body: null };
  } finally {
    deadline.removeEventListener('abort', abort);
    raw.end();
  }
}

interface Progress {
  /** Set once a protocol has been agreed on. */
  method: Method | null;
  /** Bytes of an answer that have come. */
  answered: number;
}

async function converse(raw: RawStream, asked: OwnRequest, progress: Progress): Promise<OwnResult> {
  const reader = new ByteReader(raw.stream.source);
  const protocol = await negotiate(raw, reader, asked.methods.map(protocolId));
  if (protocol === null) return ended({ how: 'not-spoken' });
  const method = methodOf({ protocol });
  progress.method = method;
  if (asked.body.length > 0) raw.write(encodePayload(asked.body));
  raw.end();
  const code = (await reader.take(1)).readUInt8(0);
  progress.answered = 1;
  if (code !== RESULT.success) return { end: { how: 'refused', code }, wasLast: false, method, body: null };
  const body = asked.answerBytes === null ? null : await readPayload(reader, asked.answerBytes(method));
  return { end: { how: 'answered' }, wasLast: false, method, body };
}

function ended(end: RequestEnd): OwnResult {
  return { end, wasLast: end.how === 'disconnected', method: null, body: null };
}

function timedOut({ method }: Progress): RequestEnd {
  return { how: method === null ? 'negotiation-timeout' : 'timeout' };
}

/** What a failure is in a client's eyes. A FIN counts as one even if the connection ends right after it. */
function endOf(error: unknown, raw: RawStream, connection: Connection, { method, answered }: Progress): RequestEnd {
  const negotiated = method !== null;
  if (error instanceof MalformedPayload) return { how: 'malformed' };
  if (error instanceof NegotiationBroken) return { how: 'not-spoken' };
  if (error instanceof UnexpectedEnd && raw.hasFin()) {
    if (!negotiated) return { how: 'fin-in-negotiation' };
    return { how: answered === 0 ? 'empty' : 'incomplete' };
  }
  if (connection.status !== 'open' || error instanceof UnexpectedEnd) return { how: 'disconnected', negotiated };
  return { how: negotiated ? 'reset' : 'reset-in-negotiation' };
}
