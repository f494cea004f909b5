import {
  decodeMetaData,
  decodeStatus,
  decodeUint64,
  encodeMetaData,
  encodeStatus,
  encodeUint64,
} from '../../src/consensus/containers.ts';
import { byteReader } from '../../src/io/network/reqresp/byte-reader.ts';
import {
  decodePayload,
  decodePayloadUpTo,
  decodeResponse,
  encodeErrorResponse,
  encodeRequest,
  encodeResponse,
} from '../../src/io/network/reqresp/payload.ts';
import {
  decodeFrames,
  encodeFrames,
  maxFramedBytes,
  type ReadBytes,
} from '../../src/io/network/reqresp/snappy-frames.ts';
import { bytesLike, type FuzzTarget, inWords, join, promise } from './target.ts';

/** Requests and responses: snappy frames, their framing, and the SSZ in them. The first bytes say how they are read. */

const MAX_VARINT_BYTES = 10;
const MAX_ERROR_BYTES = 256;
const RESULT_BYTES = 1;
/** Status, MetaData and ping in all their versions. */
const SIZES = [84, 92, 16, 17, 25, 8] as const;

/** A reader over pieces that counts what is asked of it, and of the other side. */
function counting(
  bytes: Uint8Array,
  pieceBytes: number,
): { read: ReadBytes; asked: () => number; taken: () => number } {
  let asked = 0;
  let taken = 0;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let start = 0; start < bytes.length; start += pieceBytes) {
      const piece = bytes.subarray(start, start + pieceBytes);
      taken += piece.length;
      yield piece;
    }
  }
  const reader = byteReader(pieces());
  return {
    read: (count) => {
      asked += count;
      return reader(count);
    },
    asked: () => asked,
    taken: () => taken,
  };
}

type Read = { readonly bytes: Uint8Array } | { readonly problem: string } | { readonly ended: true };

function words(result: Read): string {
  if ('bytes' in result) return 'read';
  return 'problem' in result ? inWords(result.problem) : 'ended';
}

const plainBodies = [new Uint8Array(0), new Uint8Array(8), new Uint8Array(84).fill(7), statusBytes(), metaDataBytes()];
const mode = (...bytes: number[]) => Uint8Array.from(bytes);

function statusBytes(): Uint8Array {
  const root = 'ab'.repeat(32);
  const status = { forkDigest: '8c9f62fe', finalizedRoot: root, finalizedEpoch: 9, headRoot: root, headSlot: 320 };
  return encodeStatus({ ...status, earliestAvailableSlot: 0 }, 2);
}

function metaDataBytes(): Uint8Array {
  return encodeMetaData(
    {
      seqNumber: 3,
      attnets: Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 128),
      syncnets: Uint8Array.of(5),
      custodyGroupCount: 8,
    },
    3,
  );
}

const frames: FuzzTarget = {
  name: 'snappy-frames',
  input: bytesLike([
    ...plainBodies.map((body) => join(mode(body.length, 7), encodeFrames(body))),
    // A block that says it unpacks to 16 MB, and a chunk that says it is that long.
    join(mode(200, 64), encodeFrames(new Uint8Array(0)), Buffer.from('000a000000000000808080080000', 'hex')),
    join(mode(200, 64), encodeFrames(new Uint8Array(0)), Buffer.from('01ffffff00000000', 'hex')),
  ]),
  check: async (input) => {
    const [length = 0, piece = 0] = input;
    const source = counting(input.subarray(2), piece + 1);
    const result = await decodeFrames(source.read, length);
    promise(source.asked() <= maxFramedBytes(length), `asked for ${source.asked()} bytes for ${length}`);
    promise(source.taken() <= source.asked() + piece + 1, 'takes a chunk only when it needs it');
    if ('bytes' in result) promise(result.bytes.length === length, 'unpacks to what was announced');
    return words(result);
  },
};

const request: FuzzTarget = {
  name: 'request-payload',
  input: bytesLike(plainBodies.map((body, index) => join(mode(index, 3), encodeRequest(body)))),
  check: async (input) => {
    const [choice = 0, piece = 0] = input;
    const size = SIZES[choice % SIZES.length] ?? 8;
    const exact = counting(input.subarray(2), piece + 1);
    const result = await decodePayload(exact.read, size);
    promise(exact.asked() <= MAX_VARINT_BYTES + maxFramedBytes(size), `asked for ${exact.asked()} bytes for ${size}`);
    if ('bytes' in result) promise(result.bytes.length === size, 'a payload is as long as was expected');

    const upTo = counting(input.subarray(2), piece + 1);
    const any = await decodePayloadUpTo(upTo.read, MAX_ERROR_BYTES);
    promise(upTo.asked() <= MAX_VARINT_BYTES + maxFramedBytes(MAX_ERROR_BYTES), `asked for ${upTo.asked()} bytes`);
    if ('bytes' in any) promise(any.bytes.length <= MAX_ERROR_BYTES, 'a payload is no longer than was allowed');
    return `${words(result)}; ${words(any)}`.slice(0, 80);
  },
};

const response: FuzzTarget = {
  name: 'response',
  input: bytesLike([
    ...plainBodies.map((body, index) => join(mode(index, 5), encodeResponse(0, body))),
    join(mode(0, 200), encodeErrorResponse(1, 'no such \u001b[31mthing')),
    join(mode(1, 0), encodeErrorResponse(3, 'busy'.repeat(80))),
  ]),
  check: async (input) => {
    const [choice = 0, piece = 0] = input;
    const size = SIZES[choice % SIZES.length] ?? 8;
    const source = counting(input.subarray(2), piece + 1);
    const result = await decodeResponse(source.read, size);
    const bound = RESULT_BYTES + MAX_VARINT_BYTES + maxFramedBytes(Math.max(size, MAX_ERROR_BYTES));
    promise(source.asked() <= bound, `asked for ${source.asked()} bytes`);
    if (!('error' in result)) return words(result);
    promise(/^[\x20-\x7e]{0,256}$/.test(result.message), 'an error message is short and printable');
    return result.message === '' ? 'error without a message' : 'error with a message';
  },
};

const containers: FuzzTarget = {
  name: 'ssz-containers',
  input: bytesLike([
    statusBytes(),
    metaDataBytes(),
    encodeUint64(129n),
    new Uint8Array(92).fill(255),
    new Uint8Array(25),
  ]),
  check: (input) => {
    const read: string[] = [];
    for (const version of [1, 2] as const) {
      const status = decodeStatus(input, version);
      if (!status.ok) continue;
      const { finalizedEpoch, headSlot, earliestAvailableSlot } = status.value;
      const numbers = [finalizedEpoch, headSlot, earliestAvailableSlot ?? 0];
      promise(numbers.every(Number.isSafeInteger), 'numbers of a Status are integers');
      const lossless = numbers.every((value) => value < Number.MAX_SAFE_INTEGER);
      const again = lossless ? encodeStatus(status.value, version) : input;
      promise(Buffer.compare(again, input) === 0, 'a Status is written as it was read');
      read.push(`status/${version}`);
    }
    for (const version of [1, 2, 3] as const) {
      const metaData = decodeMetaData(input, version);
      if (!metaData.ok) {
        if (!/SSZ body/.test(metaData.failure.detail ?? '')) read.push(inWords(metaData.failure.detail ?? ''));
        continue;
      }
      const { seqNumber, attnets, syncnets, custodyGroupCount } = metaData.value;
      promise(attnets.length === 8 && syncnets.length === 1, 'bit vectors have their length');
      const lossless = [seqNumber, custodyGroupCount ?? 0].every((value) => value < Number.MAX_SAFE_INTEGER);
      const again = lossless ? encodeMetaData(metaData.value, version) : input;
      promise(Buffer.compare(again, input) === 0, 'a MetaData is written as it was read');
      read.push(`metadata/${version}${lossless ? '' : ' held at its limit'}`);
    }
    const number = decodeUint64(input, 'status');
    if (number.ok) {
      promise(Buffer.compare(encodeUint64(number.value), input) === 0, 'a uint64 is written as it was read');
      read.push('uint64');
    }
    return read.join(' ') || 'of no length that is known';
  },
};

export const WIRE_TARGETS: readonly FuzzTarget[] = [frames, request, response, containers];
