import type { Connection, Stream, StreamMuxer } from '@libp2p/interface';
import { type BarePeer, type BarePeerOptions, barePeer, type Carrier } from './bare-peer.ts';
import { type Frame, frameSpy } from './frame-spy.ts';
import { quicSpy } from './quic-spy.ts';

/** How a stream that is being negotiated ends: the first two are told to the peer of that stream. */
export type StreamEnd = 'FIN' | 'reset' | 'connection ended';

/** A peer that begins to negotiate streams, leaves them there, and sees how they end on the wire. */
export interface Negotiator {
  readonly peer: BarePeer;
  /** Opens a stream up to multistream's own header, which has been answered; tells how it ends. */
  negotiate(connection: Connection): Promise<{ readonly ended: Promise<StreamEnd> }>;
}

/** As multistream-select writes it, with its length before it. */
const HEADER = Buffer.from('\u0013/multistream/1.0.0\n');

export async function negotiator(carrier: Carrier, options: BarePeerOptions = {}): Promise<Negotiator> {
  if (carrier === 'quic') return quicNegotiator(options);
  const spy = frameSpy(carrier);
  const peer = await barePeer({ ...options, muxer: carrier, spy });
  return {
    peer,
    async negotiate(connection) {
      const { muxer } = connection as unknown as { readonly muxer: StreamMuxer };
      const stream = await muxer.newStream();
      await halfWay(stream);
      const ended = closed(peer, connection).then(() => endOf(stream, spy.framesOf(muxer)));
      return { ended };
    },
  };
}

/** Resolves when the header has been answered. */
async function halfWay(stream: Stream): Promise<void> {
  const source = (async function* () {
    yield HEADER;
    await new Promise(() => undefined);
  })();
  stream.sink(source).catch(() => undefined);
  await stream.source[Symbol.asyncIterator]().next();
}

function closed({ libp2p }: BarePeer, connection: Connection): Promise<void> {
  return new Promise((resolve) => {
    libp2p.addEventListener('connection:close', ({ detail: { id } }) => id === connection.id && resolve());
    if (connection.status === 'closed') resolve();
  });
}

function endOf(stream: Stream, frames: readonly Frame[]): StreamEnd {
  const streamId = Number(stream.id.replace(/\D/g, ''));
  const kinds = frames
    .filter((frame) => frame.streamId === streamId || frame.kind === 'go-away')
    .map(({ kind }) => kind);
  if (kinds.includes('end')) return 'FIN';
  return kinds.includes('reset') || kinds.includes('go-away') ? 'reset' : 'connection ended';
}

async function quicNegotiator(options: BarePeerOptions): Promise<Negotiator> {
  const spy = await quicSpy();
  const peer = await barePeer({ ...options, muxer: 'quic' });
  return {
    peer,
    async negotiate({ remotePeer }) {
      const native = spy.connectionsWith(remotePeer.toString()).at(-1);
      if (native === undefined) throw new Error('not a QUIC connection');
      const stream = await native.outboundStream();
      await stream.write(HEADER);
      await stream.read(HEADER.length);
      const ended = stream.read(1).then(
        (): StreamEnd => 'FIN',
        (error: Error): StreamEnd => (error.message.includes('reset') ? 'reset' : 'connection ended'),
      );
      const resets = () => native.stats().frameRxResetStream;
      return { ended: ended.then((end) => (end === 'connection ended' && resets() > 0 ? 'reset' : end)) };
    },
  };
}
