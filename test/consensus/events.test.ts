import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeEvent,
  encodeEvent,
  MAX_EVENT_BYTES,
  METADATA_RECEIVED,
  type MetadataReceivedEvent,
  PEER_DISCOVERED,
  SUBJECTS,
  type ValtrackEvent,
} from '../../src/consensus/events.ts';

/** What the Go program writes, literally. */
const GO_DISCOVERED =
  '{"enr":"enr:-Ma4Q…","id":"16Uiu2HAm…","ip":"34.77.238.61","port":9852,"crawler_id":"FLY_MACHINE_ID","crawler_location":"FLY_REGION","timestamp":1716910739024}';
const GO_METADATA =
  '{"enr":"enr:-x","id":"16Uiu2","multiaddr":"/ip4/1.2.3.4/tcp/9000","epoch":286684,"metadata":{"seq_number":82,"attnets":"ABgAAAAAAAA=","syncnets":"AA=="},"subscribed_subnets":[63,11,12],"client_version":"Prysm/v5","crawler_id":"FLY_MACHINE_ID","crawler_location":"FLY_REGION","timestamp":1716910737176}';

const utf8 = (text: string) => new TextEncoder().encode(text);
const json = (value: unknown) => utf8(JSON.stringify(value));
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function decoded(subject: string, payload: Uint8Array): ValtrackEvent {
  const result = decodeEvent(subject, payload);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

/** The metadata event of the Go program with some fields replaced. */
function metadataWith(changes: Record<string, unknown>) {
  return decodeEvent(METADATA_RECEIVED, json({ ...JSON.parse(GO_METADATA), ...changes }));
}

function metadataOf(changes: Record<string, unknown>): MetadataReceivedEvent {
  const result = metadataWith(changes);
  if (!result.ok || result.value.subject !== METADATA_RECEIVED) throw new Error(JSON.stringify(result));
  return result.value.event;
}

describe('the events of the Go program', () => {
  it.each([
    [PEER_DISCOVERED, GO_DISCOVERED],
    [METADATA_RECEIVED, GO_METADATA],
  ])('%s are read, and written byte for byte as they were', (subject, literal) => {
    expect(text(encodeEvent(decoded(subject, utf8(literal))))).toBe(literal);
  });

  it('have their bit vectors as bytes', () => {
    expect(metadataOf({}).metadata).toEqual({
      seq_number: 82,
      attnets: Uint8Array.of(0, 0x18, 0, 0, 0, 0, 0, 0),
      syncnets: Uint8Array.of(0),
    });
  });
});

describe('bit vectors', () => {
  it.each([
    ['base64', 'ABgAAAAAAAA=', 'Dw=='],
    ['hex', '0018000000000000', '0f'],
    ['upper-case hex', '0018000000000000', '0F'],
    ['prefixed hex', '0x0018000000000000', '0x0f'],
  ])('are read in %s', (_, attnets, syncnets) => {
    expect(metadataOf({ metadata: { seq_number: 1, attnets, syncnets } }).metadata).toEqual({
      seq_number: 1,
      attnets: Uint8Array.of(0, 0x18, 0, 0, 0, 0, 0, 0),
      syncnets: Uint8Array.of(15),
    });
  });

  it('that are absent, null or empty are zeros', () => {
    const zeros = { seq_number: 0, attnets: new Uint8Array(8), syncnets: new Uint8Array(1) };
    expect(metadataOf({ metadata: {} }).metadata).toEqual(zeros);
    expect(metadataOf({ metadata: { seq_number: null, attnets: null, syncnets: '' } }).metadata).toEqual(zeros);
  });

  it.each([
    ['too short', 'AAAA'],
    ['too long', 'AAAAAAAAAAAAAAAA'.repeat(2)],
    ['not base64', 'ABgAAAAA*AA='],
    ['without padding', 'ABgAAAAAAAA'],
    ['nine bytes of base64', 'ABgAAAAAAAAA'],
    ['nine bytes of hex', '001800000000000000'],
    ['not hex', '00180000000000zz'],
    ['prefixed twice', '0x0x18000000000000'],
    ['an object', {}],
    ['an array', [0, 0, 0, 0, 0, 0, 0, 0]],
  ])('%s are refused, naming the field', (_, attnets) => {
    const result = metadataWith({ metadata: { seq_number: 1, attnets, syncnets: '00' } });
    expect(result).toMatchObject({ ok: false, reason: expect.stringContaining('metadata.attnets') });
  });

  it('are always of their length, whatever the text', () => {
    const likely = fc.stringMatching(/^(0x)?[0-9a-fx]{0,20}={0,2}$/);
    fc.assert(
      fc.property(fc.oneof(likely, fc.string()), fc.oneof(likely, fc.string()), (attnets, syncnets) => {
        const result = metadataWith({ metadata: { seq_number: 1, attnets, syncnets } });
        if (!result.ok || result.value.subject !== METADATA_RECEIVED) return;
        expect(result.value.event.metadata?.attnets).toHaveLength(8);
        expect(result.value.event.metadata?.syncnets).toHaveLength(1);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a tolerant reader', () => {
  it.each([
    [{ metadata: null }, { metadata: null }],
    [{ metadata: undefined }, { metadata: null }],
    [{ subscribed_subnets: null }, { subscribed_subnets: [] }],
    [{ subscribed_subnets: undefined }, { subscribed_subnets: [] }],
    [{ subscribed_subnets: [3, 3, 64, -1, 0] }, { subscribed_subnets: [3, 3, 0] }],
    [{ enr: 'enr:' }, { enr: 'enr:' }],
    [{ enr: null }, { enr: '' }],
    [{ enr: undefined }, { enr: '' }],
    [{ client_version: '' }, { client_version: '' }],
    [{ epoch: -5 }, { epoch: -5 }],
    // What a peer claims must not keep its observation from being read.
    [{ epoch: 2 ** 58 }, { epoch: Number.MAX_SAFE_INTEGER }],
    [{ epoch: -(2 ** 58) }, { epoch: Number.MIN_SAFE_INTEGER }],
    [{ subscribed_subnets: [3, 2 ** 60, -(2 ** 60)] }, { subscribed_subnets: [3] }],
    [{ client_version: 'x'.repeat(10_000) }, { client_version: 'x'.repeat(4_096) }],
    [{ something_new: { deep: [1] } }, { epoch: 286_684 }],
    [{ custody_group_count: null, fork_digest: null, direction: null }, { custody_group_count: null }],
    [{ client_version: 'a\0b\ud800' }, { client_version: 'a\ufffdb\ufffd' }],
  ])('takes %j', (changes, expected) => {
    expect(metadataOf(changes)).toMatchObject(expected);
  });

  it.each([
    [{ id: '' }, 'id'],
    [{ id: undefined }, 'id'],
    [{ id: 5 }, 'id'],
    [{ epoch: 1.5 }, 'epoch'],
    [{ epoch: '1' }, 'epoch'],
    [{ timestamp: -1 }, 'timestamp'],
    [{ timestamp: Date.UTC(10_000, 0) }, 'timestamp'],
    [{ timestamp: undefined }, 'timestamp'],
    [{ subscribed_subnets: [1.5] }, 'subscribed_subnets.0'],
    [{ subscribed_subnets: Array(4_097).fill(1) }, 'subscribed_subnets'],
    [{ enr: 'x'.repeat(4_097) }, 'enr'],
    [{ metadata: { seq_number: '1' } }, 'metadata.seq_number'],
    [{ metadata: 'x' }, 'metadata'],
    [{ direction: 'sideways' }, 'direction'],
    [{ slot: 0.5 }, 'slot'],
  ])('refuses %j in one line that names the field', (changes, field) => {
    const result = metadataWith(changes);
    expect(result).toMatchObject({ ok: false, reason: expect.stringContaining(field) });
    expect(result.ok ? '' : result.reason).not.toContain('\n');
  });

  it.each([
    ['no JSON', utf8('{')],
    ['an empty payload', new Uint8Array(0)],
    ['invalid UTF-8', Uint8Array.of(0x22, 0xff, 0x22)],
    ['an array', utf8('[]')],
    ['null', utf8('null')],
    ['a number', utf8('1')],
    ['too many bytes', new Uint8Array(MAX_EVENT_BYTES + 1).fill(0x20)],
  ])('refuses %s', (_, payload) => {
    for (const subject of SUBJECTS) expect(decodeEvent(subject, payload)).toMatchObject({ ok: false });
  });

  it('refuses a subject it does not know, in one bounded line', () => {
    const result = decodeEvent('x'.repeat(10_000), utf8(GO_METADATA));
    expect(result).toMatchObject({ ok: false });
    expect(JSON.stringify(result).length).toBeLessThan(200);
  });
});

describe('a sequence number', () => {
  it.each([
    ['0', 0],
    ['9007199254740991', 9_007_199_254_740_991],
    ['9223372036854775807', 9_007_199_254_740_991],
    // What a Go int64 makes of a claimed 2^64 - 1 and of 2^63.
    ['-1', 9_007_199_254_740_991],
    ['-9223372036854775808', 9_007_199_254_740_991],
  ])('of %s on the wire is read as %i', (written, expected) => {
    const result = decoded(METADATA_RECEIVED, utf8(GO_METADATA.replace('"seq_number":82', `"seq_number":${written}`)));
    expect(result).toMatchObject({ event: { metadata: { seq_number: expected } } });
  });
});

describe('any payload', () => {
  it('is an event or a reason', () => {
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.json().map(utf8),
      fc
        .dictionary(
          fc.constantFrom(...Object.keys(JSON.parse(GO_METADATA)), ...Object.keys(JSON.parse(GO_DISCOVERED))),
          fc.jsonValue(),
        )
        .map(json),
    );
    fc.assert(
      fc.property(fc.constantFrom(...SUBJECTS), payload, (subject, bytes) => {
        const result = decodeEvent(subject, bytes);
        if (!result.ok) expect(result.reason.length).toBeLessThanOrEqual(300);
      }),
      { numRuns: 1_000 },
    );
  });

  it('that was read is the same event after writing and reading', () => {
    const anyText = fc.string({ unit: 'binary', maxLength: 50 });
    const event = fc.record(
      {
        enr: anyText,
        id: fc.string({ minLength: 1, maxLength: 60 }),
        multiaddr: anyText,
        epoch: fc.integer(),
        metadata: fc.option(
          fc.record({
            seq_number: fc.nat(),
            attnets: fc
              .uint8Array({ minLength: 8, maxLength: 8 })
              .map((bytes) => Buffer.from(bytes).toString('base64')),
            syncnets: fc.uint8Array({ minLength: 1, maxLength: 1 }).map((bytes) => Buffer.from(bytes).toString('hex')),
          }),
        ),
        subscribed_subnets: fc.option(fc.array(fc.integer({ min: -3, max: 70 }))),
        client_version: anyText,
        crawler_id: anyText,
        crawler_location: anyText,
        timestamp: fc.integer({ min: 0, max: Date.UTC(9999, 0) }),
        event_id: fc.option(anyText),
        slot: fc.option(fc.integer()),
        custody_group_count: fc.option(fc.nat()),
        direction: fc.constantFrom('inbound', 'outbound', null),
        missing: fc.option(fc.array(anyText, { maxLength: 4 })),
      },
      { requiredKeys: ['id', 'epoch', 'timestamp'] },
    );
    fc.assert(
      fc.property(event, (written) => {
        const first = decoded(METADATA_RECEIVED, json(written));
        const again = encodeEvent(first);
        expect(decoded(METADATA_RECEIVED, again)).toEqual(first);
        expect(encodeEvent(decoded(METADATA_RECEIVED, again))).toEqual(again);
      }),
    );
  });
});
