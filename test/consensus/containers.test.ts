import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeMetaData,
  decodeStatus,
  decodeUint64,
  encodeMetaData,
  encodeStatus,
  encodeUint64,
  METADATA_BYTES,
  STATUS_BYTES,
} from '../../src/consensus/containers.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));
const ZERO_ROOT = '00'.repeat(32);

/** A little-endian uint64, by hand. */
const u64 = (value: bigint | number) => {
  const written = Buffer.alloc(8);
  written.writeBigUInt64LE(BigInt(value));
  return written.toString('hex');
};

const root = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(hex);
const uint = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const status = fc.record({
  forkDigest: fc.uint8Array({ minLength: 4, maxLength: 4 }).map(hex),
  finalizedRoot: root,
  finalizedEpoch: uint,
  headRoot: root,
  headSlot: uint,
  earliestAvailableSlot: uint,
});
const metaData = fc.record({
  seqNumber: uint,
  attnets: fc.uint8Array({ minLength: 8, maxLength: 8 }),
  syncnets: fc.integer({ min: 0, max: 15 }).map((bits) => Uint8Array.of(bits)),
  custodyGroupCount: uint,
});

describe('Status', () => {
  it('of zeros on mainnet is the vector', () => {
    const zero = {
      forkDigest: '8c9f62fe',
      finalizedRoot: ZERO_ROOT,
      finalizedEpoch: 0,
      headRoot: ZERO_ROOT,
      headSlot: 0,
      earliestAvailableSlot: 0,
    };
    expect(hex(encodeStatus(zero, 2))).toBe(`8c9f62fe${'00'.repeat(88)}`);
    expect(hex(encodeStatus(zero, 1))).toBe(`8c9f62fe${'00'.repeat(80)}`);
  });

  it('is its fields one after the other', () => {
    fc.assert(
      fc.property(status, (value) => {
        const common =
          value.forkDigest + value.finalizedRoot + u64(value.finalizedEpoch) + value.headRoot + u64(value.headSlot);
        const [first, second] = [encodeStatus(value, 1), encodeStatus(value, 2)];
        expect(hex(first)).toBe(common);
        expect(hex(second)).toBe(common + u64(value.earliestAvailableSlot));
        expect(first).toHaveLength(STATUS_BYTES[1]);
        expect(second).toHaveLength(STATUS_BYTES[2]);
        expect(decodeStatus(second, 2)).toEqual({ ok: true, value });
        expect(decodeStatus(first, 1)).toEqual({ ok: true, value: { ...value, earliestAvailableSlot: null } });
      }),
    );
  });

  it('without an earliest slot claims no history', () => {
    const none = {
      forkDigest: '8c9f62fe',
      finalizedRoot: ZERO_ROOT,
      finalizedEpoch: 0,
      headRoot: ZERO_ROOT,
      headSlot: 77,
      earliestAvailableSlot: null,
    };
    expect(hex(encodeStatus(none, 2)).slice(-16)).toBe(u64(77));
  });

  it('holds numbers beyond 2^53 at the limit', () => {
    const far = decodeStatus(
      bytes(`8c9f62fe${ZERO_ROOT}${'ff'.repeat(8)}${ZERO_ROOT}${u64(2n ** 63n)}${u64(2n ** 53n + 1n)}`),
      2,
    );
    expect(far).toMatchObject({
      ok: true,
      value: {
        finalizedEpoch: Number.MAX_SAFE_INTEGER,
        headSlot: Number.MAX_SAFE_INTEGER,
        earliestAvailableSlot: Number.MAX_SAFE_INTEGER,
      },
    });
  });
});

describe('MetaData', () => {
  it('of a light node is the vector', () => {
    const own = { seqNumber: 1, attnets: new Uint8Array(8), syncnets: new Uint8Array(1), custodyGroupCount: 4 };
    expect(hex(encodeMetaData(own, 3))).toBe('01000000000000000000000000000000000400000000000000');
    expect(hex(encodeMetaData(own, 2))).toBe('0100000000000000000000000000000000');
    expect(hex(encodeMetaData(own, 1))).toBe('01000000000000000000000000000000');
  });

  it('is its fields one after the other', () => {
    fc.assert(
      fc.property(metaData, (value) => {
        const encoded = ([1, 2, 3] as const).map((version) => encodeMetaData(value, version));
        const [first, second, third] = [
          u64(value.seqNumber) + hex(value.attnets),
          hex(value.syncnets),
          u64(value.custodyGroupCount),
        ];
        expect(encoded.map(hex)).toEqual([first, first + second, first + second + third]);
        expect(encoded.map(({ length }) => length)).toEqual([METADATA_BYTES[1], METADATA_BYTES[2], METADATA_BYTES[3]]);
        const [one, two, three] = encoded;
        expect(decodeMetaData(three ?? new Uint8Array(), 3)).toEqual({ ok: true, value });
        expect(decodeMetaData(two ?? new Uint8Array(), 2)).toEqual({
          ok: true,
          value: { ...value, custodyGroupCount: null },
        });
        expect(decodeMetaData(one ?? new Uint8Array(), 1)).toEqual({
          ok: true,
          value: { ...value, syncnets: Uint8Array.of(0), custodyGroupCount: null },
        });
      }),
    );
  });

  it('holds numbers beyond 2^53 at the limit', () => {
    expect(decodeMetaData(bytes(`${'ff'.repeat(16)}0f${'ff'.repeat(8)}`), 3)).toMatchObject({
      ok: true,
      value: { seqNumber: Number.MAX_SAFE_INTEGER, custodyGroupCount: Number.MAX_SAFE_INTEGER },
    });
  });

  it('with bits outside Bitvector[4] is invalid', () => {
    for (const stray of ['10', '80', 'ff']) {
      expect(decodeMetaData(bytes(`${'00'.repeat(16)}${stray}${u64(4)}`), 3)).toMatchObject({
        ok: false,
        failure: { stage: 'metadata', cause: 'bad_response' },
      });
    }
  });

  it('does not share memory with what it was read from', () => {
    const body = encodeMetaData(
      { seqNumber: 1, attnets: bytes('0018000000000000'), syncnets: Uint8Array.of(1), custodyGroupCount: 4 },
      3,
    );
    const decoded = decodeMetaData(body, 3);
    body.fill(0xff);
    expect(decoded).toMatchObject({ value: { attnets: bytes('0018000000000000'), syncnets: Uint8Array.of(1) } });
  });
});

describe('uint64', () => {
  it.each([
    [0n, '0000000000000000'],
    [129n, '8100000000000000'],
    [2n ** 64n - 1n, 'ffffffffffffffff'],
  ])('%i is %s', (value, encoded) => {
    expect(hex(encodeUint64(value))).toBe(encoded);
    expect(decodeUint64(bytes(encoded), 'status')).toEqual({ ok: true, value });
  });
});

describe('any bytes', () => {
  const decoders: readonly (readonly [string, number, (body: Uint8Array) => { readonly ok: boolean }])[] = [
    ['status/1', 84, (body) => decodeStatus(body, 1)],
    ['status/2', 92, (body) => decodeStatus(body, 2)],
    ['metadata/1', 16, (body) => decodeMetaData(body, 1)],
    ['metadata/2', 17, (body) => decodeMetaData(body, 2)],
    ['metadata/3', 25, (body) => decodeMetaData(body, 3)],
    ['uint64', 8, (body) => decodeUint64(body, 'status')],
  ];

  it.each(decoders)('give a value or a failure as %s', (_, size, decode) => {
    const exact = fc.uint8Array({ minLength: size, maxLength: size });
    fc.assert(
      fc.property(fc.oneof(exact, fc.uint8Array({ maxLength: 200 })), (body) => {
        const outcome = decode(body);
        if (body.length !== size) expect(outcome).toMatchObject({ ok: false, failure: { cause: 'bad_response' } });
      }),
      { numRuns: 300 },
    );
  });
});
