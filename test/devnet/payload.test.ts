import fc from 'fast-check';
import { Decompressor } from 'snappy';
import { describe, expect, it } from 'vitest';
import { ByteReader, UnexpectedEnd } from '../../src/devnet/byte-reader.ts';
import { crc32c } from '../../src/devnet/crc32c.ts';
import { encodePayload, MalformedPayload, readPayload } from '../../src/devnet/payload.ts';

async function* chunks(bytes: Uint8Array, size = bytes.length): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}
const read = (bytes: Uint8Array, length: number, size?: number) =>
  readPayload(new ByteReader(chunks(bytes, size)), length);

/** Bodies as other implementations write them. */
const STATUS = `5cff060000734e6150705901600000ca542a7c8c9f62fe${'00'.repeat(88)}`;
const PING_0 = '08ff060000734e61507059010c0000290398070000000000000000';
const METADATA = '19ff060000734e61507059011d00000910638f01000000000000000000000000000000000400000000000000';

describe('crc32c', () => {
  it.each([
    ['123456789', 'e3069283'],
    ['\0'.repeat(32), '8a9136aa'],
  ])('of the vectors of RFC 3720', (text, expected) => {
    expect(crc32c(Buffer.from(text, 'latin1')).toString(16)).toBe(expected);
  });
});

describe('payloads', () => {
  it('are read as others write them', async () => {
    const status = await read(Buffer.from(STATUS, 'hex'), 92);
    expect(status.toString('hex')).toBe(`8c9f62fe${'00'.repeat(88)}`);
    expect((await read(Buffer.from(PING_0, 'hex'), 8)).toString('hex')).toBe('00'.repeat(8));
    expect((await read(Buffer.from(METADATA, 'hex'), 25)).toString('hex')).toBe(
      `0100000000000000${'00'.repeat(9)}0400000000000000`,
    );
  });

  it('are written byte for byte like that where compression gains nothing', () => {
    expect(encodePayload(new Uint8Array(8)).toString('hex')).toBe(PING_0);
  });

  it('are written compressed where it gains, readable by another decoder', async () => {
    const body = Buffer.alloc(92, 7);
    const written = encodePayload(body);
    expect(written.length).toBeLessThan(60);
    const decoder = new Decompressor();
    const head = decoder.update(written.subarray(1));
    expect(Buffer.concat([head, await decoder.finish()])).toEqual(body);
  });

  it('survive a round trip in pieces of any size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), fc.integer({ min: 1, max: 40 }), async (body, size) => {
        const back = await read(encodePayload(body), body.length, size);
        expect(Buffer.compare(back, body)).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('that are anything else are refused, whatever the bytes', async () => {
    const genuine = Buffer.from(STATUS, 'hex');
    const damaged = fc
      .tuple(fc.nat(genuine.length - 1), fc.integer({ min: 1, max: 255 }))
      .map(([at, flip]) => Buffer.from(genuine.map((byte, index) => (index === at ? byte ^ flip : byte))));
    await fc.assert(
      fc.asyncProperty(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), async (bytes) => {
        const outcome = await read(bytes, 92).then(
          () => 'read',
          (error: unknown) => (error instanceof MalformedPayload || error instanceof UnexpectedEnd ? 'refused' : error),
        );
        expect(outcome).toBe('refused');
      }),
      { numRuns: 500 },
    );
  });

  it('may contain frames to be skipped, but not without end', async () => {
    const [length, rest] = [Buffer.from('08', 'hex'), Buffer.from(PING_0.slice(2), 'hex')];
    const padding = Buffer.from('fe030000abcdef', 'hex');
    const identifier = rest.subarray(0, 10);
    const withPadding = (times: number) =>
      Buffer.concat([length, identifier, ...Array.from({ length: times }, () => padding), rest.subarray(10)]);
    expect((await read(withPadding(3), 8)).length).toBe(8);
    await expect(read(withPadding(100), 8)).rejects.toThrow(MalformedPayload);
  });
});
