import { yamux } from '@chainsafe/libp2p-yamux';
import type { StreamMuxer, StreamMuxerFactory } from '@libp2p/interface';
import { mplex } from '@libp2p/mplex';
import type { Muxer } from './bare-peer.ts';

/** What a frame does to its stream, or to all of them. */
export type FrameKind = 'other' | 'end' | 'reset' | 'go-away';

export interface Frame {
  readonly kind: FrameKind;
  /** Under mplex -1 for a stream that the other side has opened, which counts its own from 0 as well. */
  readonly streamId: number;
}

/** What a peer that wears it receives, frame by frame, before its own muxer makes anything of it. */
export interface FrameSpy {
  /** The muxer of the next connection on, under the spy. */
  readonly muxer: ReturnType<typeof yamux>;
  /** What has come on one connection. */
  framesOf(muxer: StreamMuxer): readonly Frame[];
}

export function frameSpy(kind: Muxer): FrameSpy {
  const connections = new Map<StreamMuxer, Frame[]>();
  const create = kind === 'yamux' ? yamux() : mplex({ disconnectThreshold: 50 });

  return {
    framesOf: (muxer) => connections.get(muxer) ?? [],
    muxer: (components) => {
      const factory = create(components as Parameters<typeof create>[0]) as StreamMuxerFactory;
      return {
        protocol: factory.protocol,
        createStreamMuxer(init) {
          const muxer = factory.createStreamMuxer(init);
          const frames: Frame[] = [];
          const read = kind === 'yamux' ? yamuxFrames : mplexFrames;
          const sink = muxer.sink;
          muxer.sink = (source) => sink(watched(source as AsyncIterable<Bytes>, read, frames) as typeof source);
          connections.set(muxer, frames);
          return muxer;
        },
      } as ReturnType<ReturnType<typeof yamux>>;
    },
  };
}

interface Bytes {
  subarray(): Uint8Array;
}
/** Takes whole frames off the front, and gives what is left. */
type ReadFrames = (bytes: Buffer, found: Frame[]) => Buffer;

async function* watched<T extends Bytes>(source: AsyncIterable<T>, read: ReadFrames, found: Frame[]) {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    held = read(Buffer.concat([held, chunk.subarray()]), found);
    yield chunk;
  }
}

const YAMUX_HEADER_BYTES = 12;

/** hashicorp/yamux spec.md: version, type, flags, stream id, length; only data frames (type 0) have a body. */
function yamuxFrames(bytes: Buffer, found: Frame[]): Buffer {
  let rest = bytes;
  while (rest.length >= YAMUX_HEADER_BYTES) {
    const [type, flags, streamId, length] = [rest[1], rest.readUInt16BE(2), rest.readUInt32BE(4), rest.readUInt32BE(8)];
    const size = YAMUX_HEADER_BYTES + (type === 0 ? length : 0);
    if (rest.length < size) break;
    const onStream = flags & 8 ? 'reset' : flags & 4 ? 'end' : 'other';
    found.push({ kind: type === 3 ? 'go-away' : onStream, streamId });
    rest = rest.subarray(size);
  }
  return rest;
}

/** libp2p/specs mplex: a varint of stream id and flag, a varint length, and the body. */
function mplexFrames(bytes: Buffer, found: Frame[]): Buffer {
  let rest = bytes;
  for (;;) {
    const header = varint(rest, 0);
    const length = header && varint(rest, header.end);
    if (!header || !length || rest.length < length.end + length.value) return rest;
    const flag = header.value & 7;
    // Both sides count their streams from 0: odd flags belong to those that the wearer has opened.
    const streamId = flag % 2 ? header.value >> 3 : -1;
    found.push({ kind: flag >= 5 ? 'reset' : flag >= 3 ? 'end' : 'other', streamId });
    rest = rest.subarray(length.end + length.value);
  }
}

function varint(bytes: Buffer, start: number): { readonly value: number; readonly end: number } | null {
  let value = 0;
  for (let index = start; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * (index - start));
    if (byte < 0x80) return { value, end: index + 1 };
  }
  return null;
}
