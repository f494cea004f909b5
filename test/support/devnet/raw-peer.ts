import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import type { Libp2p, Stream, StreamMuxerFactory } from '@libp2p/interface';
import { mplex } from '@libp2p/mplex';
import { tcp } from '@libp2p/tcp';
import { createLibp2p } from 'libp2p';

/** What a peer does with each stream that is opened on it, before any protocol is agreed on. */
export type OnRawStream = (stream: Stream) => void;

type MuxerComponents = Parameters<ReturnType<typeof yamux>>[0];

/** A libp2p peer on loopback that treats streams as it likes, below multistream. */
export async function rawPeer(muxer: 'yamux' | 'mplex', onStream: OnRawStream | null): Promise<Libp2p> {
  const usual = muxer === 'yamux' ? yamux() : mplex();
  const raw = (components: MuxerComponents): StreamMuxerFactory => {
    const factory = usual(components);
    if (onStream === null) return factory;
    return {
      protocol: factory.protocol,
      createStreamMuxer: (init) => factory.createStreamMuxer({ ...init, onIncomingStream: onStream }),
    };
  };
  return await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [raw],
    connectionMonitor: { enabled: false },
  });
}
