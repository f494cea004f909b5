import type { Connection, Stream } from '@libp2p/interface';
import type { Libp2p } from 'libp2p';
import type { Client } from '../../../consensus/client.ts';
import {
  decodeStatus,
  decodeUint64,
  encodeMetaData,
  encodeStatus,
  encodeUint64,
  type MetaData,
  STATUS_BYTES,
  type Status,
  UINT64_BYTES,
} from '../../../consensus/containers.ts';
import { refusalFor } from '../../../consensus/manners/refusal.ts';
import type { Logger } from '../../logging/logger.ts';
import { byteReader } from './byte-reader.ts';
import { decodePayload, decodePayloadUpTo, encodeErrorResponse, encodeResponse, RESULT } from './payload.ts';
import { GOODBYE_PROTOCOL, METADATA_PROTOCOLS, PING_PROTOCOL, STATUS_PROTOCOLS, SYNC_PROTOCOLS } from './protocols.ts';

export interface ServerOptions {
  /** What a peer that has just told its own Status is told; `null` for nothing. */
  readonly ownStatus: (peerId: string, theirs: Status) => Status | null;
  readonly ownMetaData: () => MetaData;
  readonly onStatus: (connection: Connection, status: Status) => void;
  readonly onGoodbye: (connection: Connection, reason: bigint) => void;
  /** Which client a peer is, as far as it is known: each is refused in the way that it holds against nobody. */
  readonly clientOf: (peerId: string) => Client;
  /** A request must be complete within this time, or its stream is reset. */
  readonly requestTimeoutMs: number;
  readonly logger: Logger;
}

/** phase0/p2p-interface.md MAX_CONCURRENT_REQUESTS is 2 a protocol; one more is let in to be told so. */
const MAX_STREAMS = 3;
/** Above the largest request there is: data columns of 128 blocks by root, 132 KiB. */
const MAX_SYNC_REQUEST_BYTES = 256 * 1024;
/** Requests of no bytes at all, which not everybody ends. */
const WITHOUT_BODY = /\/light_client_(finality|optimistic)_update\//;

/** `null` for a request that has no answer, and one that is to end without. */
type Answer = (stream: Stream, connection: Connection) => Promise<Uint8Array | null>;

/**
 * A request that was cut off, or is refused without a word: its stream is reset. A result code would blame the peer for what
 * we have done, and Teku bans for one in answer to its Status.
 */
class UnansweredError extends Error {
  override readonly name = 'UnansweredError';
}

/** Serves what beacon nodes ask of each other. What only a node with blocks could answer is refused. */
export async function serve(node: Libp2p, options: ServerOptions): Promise<void> {
  await serveStatus(node, options);
  await serveMetaData(node, options);
  await answer(node, PING_PROTOCOL, options, async (stream) => {
    await readBody(stream, UINT64_BYTES);
    return encodeResponse(RESULT.success, encodeUint64(BigInt(options.ownMetaData().seqNumber)));
  });
  await answer(node, GOODBYE_PROTOCOL, options, async (stream, connection) => {
    const reason = decodeUint64(await readBody(stream, UINT64_BYTES), 'status');
    if (reason.ok) options.onGoodbye(connection, reason.value);
    return null;
  });
  for (const protocol of SYNC_PROTOCOLS) {
    await answer(node, protocol, options, async (stream, { remotePeer }) => {
      const hasBody = !WITHOUT_BODY.test(protocol);
      // Read first: what arrives for a stream that is already gone counts against the whole connection in mplex.
      if (hasBody) await readAnyBody(stream);
      const refusal = refusalFor(options.clientOf(remotePeer.toString()), protocol);
      if (refusal !== null) return encodeErrorResponse(refusal, 'this node keeps no blocks');
      // A reset at once would overtake what was answered in the negotiation.
      if (!hasBody) await byteReader(stream.source)(1);
      throw new UnansweredError('we keep no blocks');
    });
  }
}

async function serveStatus(node: Libp2p, options: ServerOptions): Promise<void> {
  const { ownStatus, onStatus } = options;
  for (const [protocol, version] of STATUS_PROTOCOLS) {
    await answer(node, protocol, options, async (stream, connection) => {
      const status = decodeStatus(await readBody(stream, STATUS_BYTES[version]), version);
      if (!status.ok) throw new UnansweredError('no Status');
      onStatus(connection, status.value);
      const own = ownStatus(connection.remotePeer.toString(), status.value);
      if (own === null) throw new UnansweredError('nothing to say');
      return encodeResponse(RESULT.success, encodeStatus(own, version));
    });
  }
}

async function serveMetaData(node: Libp2p, options: ServerOptions): Promise<void> {
  for (const [protocol, version] of METADATA_PROTOCOLS) {
    await answer(node, protocol, options, async () =>
      encodeResponse(RESULT.success, encodeMetaData(options.ownMetaData(), version)),
    );
  }
}

async function answer(
  node: Libp2p,
  protocol: string,
  { logger, requestTimeoutMs }: ServerOptions,
  respond: Answer,
): Promise<void> {
  await node.handle(
    protocol,
    ({ stream, connection }) => {
      const timer = AbortSignal.timeout(requestTimeoutMs);
      const expire = () => stream.abort(new DOMException('request not complete in time', 'TimeoutError'));
      timer.addEventListener('abort', expire, { once: true });
      respond(stream, connection)
        .then((response) => stream.sink(response === null ? [] : [response]))
        .then(() => stream.closeRead())
        .catch((error: unknown) => {
          logger.trace({ protocol, err: error }, 'a request was not answered');
          stream.abort(error instanceof Error ? error : new Error(String(error)));
        })
        .finally(() => timer.removeEventListener('abort', expire));
    },
    { maxInboundStreams: MAX_STREAMS },
  );
}

/** @throws UnansweredError when it is not what the protocol asks for, whether cut off or malformed */
async function readBody(stream: Stream, size: number): Promise<Uint8Array> {
  const payload = await decodePayload(byteReader(stream.source), size);
  if (!('bytes' in payload)) throw new UnansweredError('not what the protocol asks for');
  return payload.bytes;
}

/** @throws UnansweredError when it is not what the protocol asks for, or larger than any request there is */
async function readAnyBody(stream: Stream): Promise<void> {
  const payload = await decodePayloadUpTo(byteReader(stream.source), MAX_SYNC_REQUEST_BYTES);
  if (!('bytes' in payload)) throw new UnansweredError('not a request');
}
