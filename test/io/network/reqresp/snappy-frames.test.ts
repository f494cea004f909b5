import fc from 'fast-check';
import { Compressor, compressSync, Decompressor } from 'snappy';
import { describe, expect, it } from 'vitest';
import { byteReader } from '../../../../src/io/network/reqresp/byte-reader.ts';
import { decodeFrames, encodeFrames, maxFramedBytes } from '../../../../src/io/network/reqresp/snappy-frames.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
const IDENTIFIER = 'ff060000734e61507059';
/** An identifier and ping(0), as another implementation wrote it. */
const PING_0 = `${IDENTIFIER}010c0000290398070000000000000000`;
const BODY_0 = '010c0000290398070000000000000000';

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

const decode = (bytes: Uint8Array, length: number, size = bytes.length || 1) =>
  decodeFrames(byteReader(inPieces(bytes, size)), length);

/** A chunk with its checksum, which is that of RFC 3720 masked, taken from the reference encoder for the same bytes. */
async function checksumOf(plain: Uint8Array): Promise<Buffer> {
  const encoder = new Compressor();
  const framed = Buffer.concat([encoder.update(plain), await encoder.finish()]);
  return framed.subarray(14, 18);
}

function chunk(type: number, body: Uint8Array): Buffer {
  const header = Buffer.of(type, 0, 0, 0);
  header.writeUIntLE(body.length, 1, 3);
  return Buffer.concat([header, body]);
}

describe('frames', () => {
  it.each([
    ['zeros', '00'.repeat(8), PING_0],
    ['a Status on mainnet', `8c9f62fe${'00'.repeat(88)}`, `${IDENTIFIER}01600000ca542a7c8c9f62fe${'00'.repeat(88)}`],
    [
      'a MetaData',
      '01000000000000000000000000000000000400000000000000',
      `${IDENTIFIER}011d00000910638f01000000000000000000000000000000000400000000000000`,
    ],
  ])('of %s that another implementation wrote are read', async (_, plain, framed) => {
    expect(await decode(hex(framed), plain.length / 2)).toEqual({ bytes: new Uint8Array(hex(plain)) });
  });

  it('of a Status that Teku has compressed are read', async () => {
    const status = '540000aa01007c30a903798306695d21d1faa76363a0070677130835e503760b0e84479b7819e6114b';
    const plain = `${'00'.repeat(44)}30a903798306695d21d1faa76363a0070677130835e503760b0e84479b7819e6${'00'.repeat(8)}`;
    expect(await decode(hex(`${IDENTIFIER}002d00007e8c1ea2${status}`), 84)).toEqual({
      bytes: new Uint8Array(hex(plain)),
    });
  });

  it('are written byte for byte like that where compression gains nothing', () => {
    expect(Buffer.from(encodeFrames(new Uint8Array(0))).toString('hex')).toBe(IDENTIFIER);
    const random = Uint8Array.from({ length: 8 }, (_, index) => index * 37);
    expect(Buffer.from(encodeFrames(random)).toString('hex').slice(0, 28)).toBe(`${IDENTIFIER}010c0000`);
  });

  it('that snappy wrote are read, and snappy reads ours, with any number of chunks', async () => {
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 200_000 }))
        .map(([pattern, length]) => new Uint8Array(Buffer.alloc(length, pattern))),
    );
    await fc.assert(
      fc.asyncProperty(body, async (plain) => {
        const encoder = new Compressor();
        const theirs = Buffer.concat([encoder.update(plain), await encoder.finish()]);
        expect(await decode(theirs, plain.length)).toEqual({ bytes: plain });
        const decoder = new Decompressor();
        const head = decoder.update(encodeFrames(plain));
        expect(Buffer.compare(Buffer.concat([head, await decoder.finish()]), plain)).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  it('survive a round trip in pieces of any size, within the bound', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 50 }), async (plain, size) => {
        const framed = encodeFrames(plain);
        expect(framed.length).toBeLessThanOrEqual(maxFramedBytes(plain.length));
        expect(await decode(framed, plain.length, size)).toEqual({ bytes: plain });
      }),
    );
  });

  it('cut at any byte are a problem, and split at any byte are not', async () => {
    const framed = hex(PING_0);
    for (let at = 0; at < framed.length; at++) {
      expect(await decode(framed.subarray(0, at), 8), `cut at ${at}`).toHaveProperty('problem');
      async function* split() {
        yield framed.subarray(0, at);
        yield framed.subarray(at);
      }
      expect(await decodeFrames(byteReader(split()), 8), `split at ${at}`).toEqual({ bytes: new Uint8Array(8) });
    }
  });

  it('leave what follows to the next reader', async () => {
    const read = byteReader(inPieces(Buffer.concat([hex(PING_0), hex('aabb')]), 7));
    await decodeFrames(read, 8);
    expect(await read(2)).toEqual(hex('aabb'));
    expect(await read(1)).toBeNull();
  });
});

describe('hostile frames', () => {
  it.each([
    ['nothing', ''],
    ['no identifier', BODY_0],
    ['another identifier', `ff060000734e61507058${BODY_0}`],
    ['a short identifier', `ff050000734e615070${BODY_0}`],
    ['a long identifier', `ff070000734e6150705900${BODY_0}`],
    ['an empty identifier', `ff000000${BODY_0}`],
    ['a wrong checksum', `${IDENTIFIER}010c0000290398080000000000000000`],
    ['a chunk without a checksum', `${IDENTIFIER}01030000290398`],
    ['a chunk of 16 MB', `${IDENTIFIER}01ffffff29039807${'00'.repeat(64)}`],
    ['a chunk that must not be skipped', `${IDENTIFIER}02000000${BODY_0}`],
    ['more bytes than announced', `${IDENTIFIER}010d000029039807${'00'.repeat(9)}`],
    ['fewer bytes than announced, then the end', `${IDENTIFIER}010b000029039807${'00'.repeat(7)}`],
    ['a broken block', `${IDENTIFIER}0009000029039807ffffffffff`],
    ['a block whose length never ends', `${IDENTIFIER}000a000029039807ffffffffffff`],
    ['an empty block', `${IDENTIFIER}0004000029039807`],
  ])('%s are a problem', async (_, framed) => {
    expect(await decode(hex(framed), 8)).toHaveProperty('problem');
  });

  it('a bomb is not unpacked', async () => {
    const bomb = compressSync(Buffer.alloc(65_536));
    const framed = Buffer.concat([hex(IDENTIFIER), chunk(0, Buffer.concat([Buffer.alloc(4), bomb]))]);
    expect(bomb.length).toBeGreaterThan(3_000);
    expect(await decode(framed, 65_535)).toEqual({
      problem: 'snappy chunk that does not unpack to what was announced',
    });
    // Even within the announced length a chunk is at most 64 KiB.
    const plain = Buffer.alloc(65_537);
    const large = Buffer.concat([
      hex(IDENTIFIER),
      chunk(0, Buffer.concat([await checksumOf(plain), compressSync(plain)])),
    ]);
    expect(await decode(large, 65_537)).toHaveProperty('problem');
  });

  it('chunks to be skipped are skipped, but not without end', async () => {
    const padding = (times: number) => 'fe030000abcdef80010000aa'.repeat(times);
    expect(await decode(hex(IDENTIFIER + padding(2) + BODY_0), 8)).toEqual({ bytes: new Uint8Array(8) });
    async function* endless() {
      yield hex(IDENTIFIER);
      for (;;) yield hex('fe000000');
    }
    expect(await decodeFrames(byteReader(endless()), 8)).toEqual({
      problem: 'more snappy bytes than the length allows',
    });
  });

  it('identifiers and empty chunks without end are a problem', async () => {
    for (const repeated of [IDENTIFIER, '0104000000000000']) {
      async function* endless() {
        yield hex(IDENTIFIER);
        for (;;) yield hex(repeated);
      }
      expect(await decodeFrames(byteReader(endless()), 8)).toHaveProperty('problem');
    }
  });

  it('never take more from the reader than the bound', async () => {
    const frame = fc
      .tuple(fc.constantFrom(0x00, 0x01, 0x02, 0x80, 0xfe, 0xff), fc.uint8Array({ maxLength: 40 }))
      .map(([type, body]) => chunk(type, body));
    const stream = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(frame, { maxLength: 40 }).map((frames) => Buffer.concat([hex(IDENTIFIER), ...frames])),
    );
    await fc.assert(
      fc.asyncProperty(stream, fc.nat(100), async (bytes, length) => {
        const read = byteReader(inPieces(bytes, 16));
        let taken = 0;
        const result = await decodeFrames((count) => {
          taken += count;
          return read(count);
        }, length);
        expect(taken).toBeLessThanOrEqual(maxFramedBytes(length) + 4);
        if ('bytes' in result) expect(result.bytes).toHaveLength(length);
      }),
      { numRuns: 500 },
    );
  });

  it('that differ from genuine ones in one byte are refused, or mean the same', async () => {
    const plain = Buffer.alloc(92, 'status');
    const genuine = Buffer.from(encodeFrames(plain));
    await fc.assert(
      fc.asyncProperty(fc.nat(genuine.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const damaged = Buffer.from(genuine);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        const result = await decode(damaged, plain.length);
        // A copy from one period earlier is the same copy.
        if ('bytes' in result) expect(Buffer.compare(result.bytes, plain)).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
