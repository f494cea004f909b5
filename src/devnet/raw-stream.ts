import type { Connection, Stream } from '@libp2p/interface';

/**
 * A stream on which no protocol has been agreed yet. `Connection.newStream` hides how a negotiation ends, which is what
 * clients' judgements hang on.
 */
export interface RawStream {
  readonly stream: Stream;
  /** Bytes to the peer, in order; `end` closes this side. */
  write(bytes: Uint8Array): void;
  end(): void;
  /** Whether the peer itself has closed its side of the stream, which a connection that ends looks like otherwise. */
  hasFin(): boolean;
}

interface Muxer {
  newStream(): Promise<Stream> | Stream;
}
/** What `AbstractStream` of `@libp2p/utils` is told by yamux, mplex and QUIC. */
interface Told {
  remoteCloseWrite(): void;
  remoteCloseRead(): void;
}

/** @throws what the muxer throws when the connection is gone */
export async function openRawStream(connection: Connection): Promise<RawStream> {
  const { muxer } = connection as unknown as { readonly muxer?: Muxer };
  if (muxer === undefined) throw new TypeError('this version of libp2p has no muxer to ask for streams');
  const stream = await muxer.newStream();
  const hasFin = watchFin(stream);
  const outgoing = queue();
  stream.sink(outgoing.source).catch(() => outgoing.end());
  return { stream, write: outgoing.push, end: outgoing.end, hasFin };
}

function watchFin(stream: Stream): () => boolean {
  const told = stream as unknown as Told;
  const onFin = told.remoteCloseWrite.bind(stream);
  const onStop = told.remoteCloseRead.bind(stream);
  let fin = false;
  let stopped = false;
  told.remoteCloseWrite = () => {
    // QUIC tells the end of a connection as the end of both sides, reading first.
    if (!stopped && stream.status === 'open') fin = true;
    onFin();
  };
  told.remoteCloseRead = () => {
    stopped = true;
    onStop();
  };
  return () => fin;
}

interface Queue {
  readonly source: AsyncGenerator<Uint8Array>;
  push(bytes: Uint8Array): void;
  end(): void;
}

function queue(): Queue {
  const waiting: Uint8Array[] = [];
  let ended = false;
  let wake = Promise.withResolvers<void>();
  async function* source() {
    for (;;) {
      yield* waiting.splice(0);
      if (ended) return;
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
  }
  return {
    source: source(),
    push: (bytes) => {
      waiting.push(bytes);
      wake.resolve();
    },
    end: () => {
      ended = true;
      wake.resolve();
    },
  };
}
