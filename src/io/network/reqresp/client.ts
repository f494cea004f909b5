import type { Connection } from '@libp2p/interface';
import type { Cause, Outcome, Stage } from '../../../consensus/failure.ts';
import { failed, success } from '../../../consensus/failure.ts';
import { failureOf } from '../libp2p/failure-of.ts';
import { byteReader } from './byte-reader.ts';
import { decodeResponse, encodeRequest, RESULT, type ResponseResult } from './payload.ts';

export interface Request {
  readonly stage: Stage;
  /** Protocol ids, most preferred first; one negotiation decides. */
  readonly protocols: readonly string[];
  /** The body for the protocol that was agreed on. */
  readonly body: (protocol: string) => Uint8Array;
  /** Exact size of the answer in bytes. */
  readonly answerBytes: (protocol: string) => number;
}

export interface Answer {
  readonly protocol: string;
  readonly bytes: Uint8Array;
}

/**
 * One request over one stream. The write side is closed after the request, also after an empty one: Teku answers
 * MetaData only then. Never rejects.
 */
export async function request(
  connection: Connection,
  { stage, protocols, body, answerBytes }: Request,
  signal: AbortSignal,
): Promise<Outcome<Answer>> {
  try {
    const stream = await connection.newStream([...protocols], { signal });
    const protocol = stream.protocol ?? '';
    const giveUp = () => stream.abort(new DOMException('given up', 'AbortError'));
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      signal.throwIfAborted();
      // A source that ends closes the write side. What goes wrong there ends the reading too, unless the answer is there
      // already: it counts although the peer did not take all of the request.
      stream.sink([encodeRequest(body(protocol))].filter((bytes) => bytes.length > 0)).catch(giveUp);
      const response = await decodeResponse(byteReader(stream.source), answerBytes(protocol));
      await stream.close({ signal });
      return outcomeOf(stage, protocol, response);
    } catch (error) {
      giveUp();
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  } catch (error) {
    return { ok: false, failure: failureOf(stage, signal.aborted ? signal.reason : error) };
  }
}

function outcomeOf(stage: Stage, protocol: string, response: ResponseResult): Outcome<Answer> {
  if ('bytes' in response) return success({ protocol, bytes: response.bytes });
  if ('ended' in response) return failed(stage, 'eof', 'closed without an answer');
  if ('problem' in response) return failed(stage, 'bad_response', response.problem);
  return failed(stage, causeOfResult(response.error, response.message), `result ${response.error} ${response.message}`);
}

/** Lighthouse, Grandine and others answer 139 when a rate limit is hit. */
const RATE_LIMITED = 139;
/** Prysm says so in the words of its code 1 (sync/rpc.go `ErrRateLimited`), Lodestar in those of its code 139. */
const SAYS_RATE_LIMITED = /rate.?limit/i;

function causeOfResult(result: number, message: string): Cause {
  if (result === RATE_LIMITED || SAYS_RATE_LIMITED.test(message)) return 'rate_limited';
  return result === RESULT.resourceUnavailable ? 'resource_limited' : 'bad_response';
}
