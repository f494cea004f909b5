import type { Connection, Stream } from '@libp2p/interface';
import type { Libp2p } from 'libp2p';
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
import type { Logger } from '../../logging/logger.ts';
import { byteReader } from './byte-reader.ts';
import { decodePayload, decodePayloadUpTo, encodeErrorResponse, encodeResponse, RESULT } from './payload.ts';
import { GOODBYE_PROTOCOL, METADATA_PROTOCOLS, PING_PROTOCOL, STATUS_PROTOCOLS, SYNC_PROTOCOLS } from './protocols.ts';

export interface ServerOptions {
  readonly ownStatus: () => Status;
  readonly ownMetaData: () => MetaData;
  readonly onStatus: (connection: Connection, status: Status) => void;
  readonly onGoodbye: (connection: Connection, reason: bigint) => void;
  /** A request must be complete within this time, or its stream is reset. */
  readonly requestTimeoutMs: number;
  readonly logger: Logger;
}

/** phase0/p2p-interface.md MAX_CONCURRENT_REQUESTS is 2 a protocol; one more is let in to be told so. */
const MAX_STREAMS = 3;
/** Above the largest request there is: data columns of 128 blocks by root, 132 KiB. */
const MAX_SYNC_REQUEST_BYTES = 256 * 1024;

type Answer = (stream: Stream, connection: Connection) => Promise<Uint8Array | null>;

/** Serves what beacon nodes ask of each other. What only a node with blocks could answer is declined. */
export async function serve(node: Libp2p, options: ServerOptions): Promise<void> {
  const { ownStatus, ownMetaData, onStatus, onGoodbye } = options;

  for (const [protocol, version] of STATUS_PROTOCOLS) {
    await answer(node, protocol, options, async (stream, connection) => {
      const bytes = await readBody(stream, STATUS_BYTES[version]);
      const status = bytes && decodeStatus(bytes, version);
      if (status?.ok !== true) return invalid();
      onStatus(connection, status.value);
      return encodeResponse(RESULT.success, encodeStatus(ownStatus(), version));
    });
  }
  for (const [protocol, version] of METADATA_PROTOCOLS) {
    await answer(node, protocol, options, async () =>
      encodeResponse(RESULT.success, encodeMetaData(ownMetaData(), version)),
    );
  }
  await answer(node, PING_PROTOCOL, options, async (stream) => {
    const bytes = await readBody(stream, UINT64_BYTES);
    if (bytes === null) return invalid();
    return encodeResponse(RESULT.success, encodeUint64(BigInt(ownMetaData().seqNumber)));
  });
  await answer(node, GOODBYE_PROTOCOL, options, async (stream, connection) => {
    const bytes = await readBody(stream, UINT64_BYTES);
    const reason = bytes && decodeUint64(bytes, 'status');
    if (reason?.ok === true) onGoodbye(connection, reason.value);
    return null;
  });
  for (const protocol of SYNC_PROTOCOLS) {
    await answer(node, protocol, options, async (stream) => {
      // Read first: what arrives for a stream that is already gone counts against the whole connection in mplex.
      const request = await decodePayloadUpTo(byteReader(stream.source), MAX_SYNC_REQUEST_BYTES);
      if (!('bytes' in request)) return invalid();
      return encodeErrorResponse(RESULT.resourceUnavailable, 'this node keeps no blocks');
    });
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

async function readBody(stream: Stream, size: number): Promise<Uint8Array | null> {
  const payload = await decodePayload(byteReader(stream.source), size);
  return 'bytes' in payload ? payload.bytes : null;
}

function invalid(): Uint8Array {
  return encodeErrorResponse(RESULT.invalidRequest, 'malformed request');
}
