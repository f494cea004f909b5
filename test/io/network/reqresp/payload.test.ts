import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteReader } from '../../../../src/io/network/reqresp/byte-reader.ts';
import {
  decodePayload,
  decodePayloadUpTo,
  decodeResponse,
  encodeErrorResponse,
  encodeRequest,
  encodeResponse,
  RESULT,
} from '../../../../src/io/network/reqresp/payload.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
const reader = (bytes: Uint8Array, size = bytes.length || 1) =>
  byteReader(
    (async function* () {
      for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
    })(),
  );
const framed = (text: string) => text.replaceAll(/\s/g, '');

const STATUS = framed(`5c ff060000734e61507059 01600000ca542a7c 8c9f62fe ${'00'.repeat(88)}`);
const PING_0 = '08ff060000734e61507059010c0000290398070000000000000000';
const METADATA = '0019ff060000734e61507059011d00000910638f01000000000000000000000000000000000400000000000000';

describe('requests', () => {
  it('without a body are no bytes', () => {
    expect(encodeRequest(new Uint8Array(0))).toHaveLength(0);
  });

  it.each([
    ['status/2', STATUS, `8c9f62fe${'00'.repeat(88)}`],
    ['ping', PING_0, '00'.repeat(8)],
  ])('%s as another implementation wrote it is read', async (_, written, plain) => {
    expect(await decodePayload(reader(hex(written)), plain.length / 2)).toEqual({ bytes: new Uint8Array(hex(plain)) });
    expect(await decodePayload(reader(hex(written), 1), plain.length / 2)).toEqual({
      bytes: new Uint8Array(hex(plain)),
    });
  });

  it('survive a round trip, of lengths that need several bytes too', async () => {
    const lengths = fc.oneof(fc.constantFrom(1, 127, 128, 16_383, 16_384, 70_000), fc.integer({ min: 1, max: 300 }));
    await fc.assert(
      fc.asyncProperty(lengths, fc.integer(), async (length, seed) => {
        const body = Uint8Array.from({ length }, (_, index) => (index * seed) & 0xff);
        expect(await decodePayload(reader(encodeRequest(body)), length)).toEqual({ bytes: body });
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['another length', '09', 'announces 9 bytes, expected 8'],
    ['a length of 1 GB', '8080808004', 'announces 1073741824 bytes, expected 8'],
    ['a length of 2^64 - 1', 'ffffffffffffffffff01', /announces 1844674\d+ bytes/],
    ['a length without end', 'ff'.repeat(11), 'announces Infinity bytes, expected 8'],
  ])('with %s are refused before anything else is read', async (_, written, problem) => {
    const read = reader(Buffer.concat([hex(written), hex('aa')]));
    expect(await decodePayload(read, 8)).toEqual({
      problem: typeof problem === 'string' ? problem : expect.stringMatching(problem),
    });
    expect(await read(1)).not.toBeNull();
  });

  it('that end before the length is complete have ended', async () => {
    for (const written of ['', '80', '8080']) {
      expect(await decodePayload(reader(hex(written)), 8)).toEqual({ ended: true });
    }
  });

  it('of a bounded length are read whatever it is', async () => {
    expect(await decodePayloadUpTo(reader(hex(PING_0)), 8)).toEqual({ bytes: new Uint8Array(8) });
    expect(await decodePayloadUpTo(reader(hex(PING_0)), 7)).toEqual({
      problem: 'announces 8 bytes, at most 7 allowed',
    });
    expect(await decodePayloadUpTo(reader(hex('')), 7)).toEqual({ ended: true });
  });
});

describe('responses', () => {
  it('of success are read', async () => {
    expect(await decodeResponse(reader(hex(METADATA)), 25)).toEqual({
      bytes: new Uint8Array(hex('01000000000000000000000000000000000400000000000000')),
    });
    expect(await decodeResponse(reader(encodeResponse(RESULT.success, new Uint8Array(8))), 8)).toEqual({
      bytes: new Uint8Array(8),
    });
  });

  it.each([1, 2, 3, 4, 127, 139, 255])('of error %i are read with their message', async (result) => {
    const response = encodeErrorResponse(result, 'Rate limited. \u001b[31mnaïve');
    expect(await decodeResponse(reader(response), 92)).toEqual({
      error: result,
      message: 'Rate limited. ?[31mna?ve',
    });
  });

  it.each([
    ['nothing more', '03'],
    ['an empty message', '0300'],
    ['an empty message in frames', '0300ff060000734e61507059'],
    ['a message that is cut', '0308ff0600'],
    ['a message of 257 bytes', '038102ff060000734e61507059'],
    ['a message of 1 GB', '038080808004'],
    ['garbage', '03ffffffffffffffffffffffff'],
  ])('of error 3 and %s are that error', async (_, written) => {
    expect(await decodeResponse(reader(hex(written)), 92)).toEqual({ error: 3, message: '' });
  });

  it('cut a long message of ours', async () => {
    expect(await decodeResponse(reader(encodeErrorResponse(1, 'x'.repeat(1_000))), 8)).toEqual({
      error: 1,
      message: 'x'.repeat(256),
    });
  });

  it('that end at once have ended', async () => {
    expect(await decodeResponse(reader(hex('')), 92)).toEqual({ ended: true });
    expect(await decodeResponse(reader(hex('00')), 92)).toEqual({ ended: true });
  });

  it('are read whatever the bytes', async () => {
    const written = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 60 }).map((rest) => Buffer.concat([hex(METADATA.slice(0, 24)), rest])),
    );
    await fc.assert(
      fc.asyncProperty(written, fc.integer({ min: 1, max: 20 }), async (bytes, size) => {
        const response = await decodeResponse(reader(bytes, size), 25);
        if ('bytes' in response) expect(response.bytes).toHaveLength(25);
        if ('message' in response) expect(response.message).toMatch(/^[\x20-\x7e]{0,256}$/);
      }),
      { numRuns: 500 },
    );
  });
});
