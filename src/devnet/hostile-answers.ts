import { setInterval } from 'node:timers/promises';
import { compressSync } from 'snappy';
import type { Fault } from './faults.ts';
import { encodePayload, frame, STREAM_IDENTIFIER, varint } from './payload.ts';
import { RESULT, responseChunk } from './reqresp.ts';

/** How faulty nodes answer requests: as no client does. */

export type Lie =
  | { readonly kind: 'reset' }
  | { readonly kind: 'silence' }
  | {
      readonly kind: 'bytes';
      /** What is sent in place of `honest`, the response that the node would give. */
      bytes(honest: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
    };

/** How a fault answers the methods of one name, such as `status`; `undefined` where it is honest. */
export function lieOf(fault: Fault, method: string): Lie | undefined {
  return LIES[fault]?.[method];
}

const RESET: Lie = { kind: 'reset' };
const SILENCE: Lie = { kind: 'silence' };
const BYTE_INTERVAL_MS = 1_000;
const PADDING_INTERVAL_MS = 50;
const PADDING = frame(0xfe, Buffer.alloc(1_000));
const ONE_GIGABYTE = 2 ** 30;
const BOMB_FRAME_BYTES = 65_536;
const BOMB_FRAMES = 1_000;
const HEAD_SLOT_OFFSET = 76;

const LIES: Readonly<Partial<Record<Fault, Readonly<Record<string, Lie>>>>> = {
  'reset-at-status': { status: RESET },
  'reset-at-metadata': { metadata: RESET },
  'never-answers': { status: SILENCE, metadata: SILENCE, ping: SILENCE },
  'one-byte-a-second': {
    status: {
      kind: 'bytes',
      bytes: async function* (honest, signal) {
        const sent = responseChunk(RESULT.success, honest);
        yield sent.subarray(0, 1);
        for await (const byte of every(BYTE_INTERVAL_MS, sent.subarray(1), signal)) yield Uint8Array.of(byte);
      },
    },
  },
  'endless-response': {
    status: {
      kind: 'bytes',
      bytes: async function* (honest, signal) {
        yield Buffer.concat([Buffer.of(RESULT.success), varint(honest.length), STREAM_IDENTIFIER]);
        yield* every(PADDING_INTERVAL_MS, endlessly(PADDING), signal);
      },
    },
  },
  'head-slot-overflow': {
    status: {
      kind: 'bytes',
      bytes: (honest) => {
        const status = Buffer.from(honest);
        status.writeBigUInt64LE(2n ** 64n - 1n, HEAD_SLOT_OFFSET);
        return [responseChunk(RESULT.success, status)];
      },
    },
  },
  'metadata-one-gigabyte': {
    metadata: {
      kind: 'bytes',
      bytes: (honest) => {
        const { length } = varint(honest.length);
        return [
          Buffer.concat([Buffer.of(RESULT.success), varint(ONE_GIGABYTE), encodePayload(honest).subarray(length)]),
        ];
      },
    },
  },
  'snappy-bomb': {
    metadata: {
      kind: 'bytes',
      bytes: function* (honest) {
        const zeros = Buffer.alloc(BOMB_FRAME_BYTES);
        // The frame of an honest encoder, of which only the first few bytes were announced.
        const bomb = encodePayload(zeros).subarray(varint(zeros.length).length + STREAM_IDENTIFIER.length);
        yield Buffer.concat([Buffer.of(RESULT.success), varint(honest.length), STREAM_IDENTIFIER]);
        for (let sent = 0; sent < BOMB_FRAMES; sent++) yield bomb;
      },
    },
  },
  'wrong-checksum': {
    metadata: {
      kind: 'bytes',
      bytes: (honest) => {
        const data = compressSync(Buffer.from(honest));
        const head = Buffer.concat([Buffer.of(RESULT.success), varint(honest.length), STREAM_IDENTIFIER]);
        return [Buffer.concat([head, frame(0x00, Buffer.concat([Buffer.alloc(4, 0xab), data]))])];
      },
    },
  },
};

/** One item after each interval, until there are no more or the signal comes. */
async function* every<T>(intervalMs: number, items: Iterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const rest = items[Symbol.iterator]();
  for await (const _ of setInterval(intervalMs, undefined, { signal })) {
    const { value, done } = rest.next();
    if (done === true) return;
    yield value;
  }
}

function* endlessly<T>(item: T): Generator<T> {
  for (;;) yield item;
}
