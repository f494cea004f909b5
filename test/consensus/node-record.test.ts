import { readFile } from 'node:fs/promises';
import { RLP } from '@ethereumjs/rlp';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { BOOTNODES } from '../../src/consensus/bootnodes.ts';
import { enrOfValues } from '../../src/consensus/enr.ts';
import { decodeNodeRecord, multiaddrText, type NodeRecord, readNodeRecord } from '../../src/consensus/node-record.ts';
import { useNativeEnrCrypto } from '../../src/io/network/discv5/enr-crypto.ts';
import { enrWith, entriesOf, type RlpItem, signedEnr } from '../support/consensus/raw-enr.ts';

const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));

function recordOf(enr: string): NodeRecord {
  const outcome = decodeNodeRecord(enr);
  if (!outcome.ok) throw new Error(outcome.failure.detail);
  return outcome.value;
}

const refusal = { ok: false, failure: { stage: 'resolve', cause: 'bad_response' } };

beforeAll(() => {
  useNativeEnrCrypto();
});

describe('the records of real nodes', async () => {
  const csv = await readFile(new URL('../fixtures/valtrack-sample-2024-05.csv', import.meta.url), 'utf8');
  const rows = csv
    .split('\n')
    .slice(1)
    .map((line) => line.split(','))
    .filter(([enr = '']) => enr.length > 4);

  it('are read as another decoder reads them', () => {
    expect(rows.length).toBeGreaterThan(50);
    for (const [enr = '', peerId] of rows) {
      const { sequence, entries } = entriesOf(enr);
      const record = recordOf(enr);
      const port = (key: string) => entries.get(key)?.readUInt16BE();
      const eth2 = entries.get('eth2');
      const attnets = entries.get('attnets')?.readBigUInt64LE() ?? 0n;
      const ip = entries.get('ip')?.join('.');

      expect(record.enr).toBe(enr);
      expect(record.peerId).toBe(peerId);
      expect(record.sequence).toBe(sequence);
      expect(record.eth2).toEqual({
        forkDigest: eth2?.toString('hex', 0, 4),
        nextForkVersion: eth2?.toString('hex', 4, 8),
        nextForkEpoch: eth2?.readBigUInt64LE(8),
      });
      expect(record.attnets).toEqual(
        Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (attnets >> BigInt(bit)) & 1n),
      );
      expect(record.custodyGroupCount).toBeNull();
      expect(record.nextForkDigest).toBeNull();
      expect(record.addresses).toEqual([
        ...(entries.has('quic') ? [{ transport: 'quic', family: 4, ip, port: port('quic') }] : []),
        ...(entries.has('tcp') ? [{ transport: 'tcp', family: 4, ip, port: port('tcp') }] : []),
      ]);
      expect(record.udp).toEqual([{ ip, port: port('udp') }]);
    }
  });

  it('are refused when a single character is another', () => {
    const [enr = ''] = rows[0] ?? [];
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: enr.length - 1 }),
        fc.constantFrom('A', 'z', '-', '=', ' '),
        (at, letter) => {
          fc.pre(enr[at] !== letter);
          const changed = `${enr.slice(0, at)}${letter}${enr.slice(at + 1)}`;
          const outcome = decodeNodeRecord(changed);
          // The last character may carry bits that stand for nothing; all others are signed.
          if (at < enr.length - 1) expect(outcome).toMatchObject(refusal);
        },
      ),
    );
  });

  it('among them all bootnodes that are built in', () => {
    for (const enr of Object.values(BOOTNODES).flat()) {
      const record = recordOf(enr);
      expect(record.enr).toBe(enr);
      expect(record.udp.length).toBeGreaterThan(0);
    }
  });
});

describe('an entry', () => {
  const read = (entries: Record<string, RlpItem>) => recordOf(enrWith(entries));

  it.each([
    ['absent', undefined, null],
    ['empty', '', 0],
    ['4', '04', 4],
    ['128', '80', 128],
    ['300', '012c', 300],
    ['the largest that counts', 'ffffffffffff', 2 ** 48 - 1],
    ['seven bytes', '01000000000000', null],
  ])('cgc %s', (_, value, expected) => {
    expect(read(value === undefined ? {} : { cgc: hex(value) }).custodyGroupCount).toBe(expected);
  });

  it.each([
    ['0018000000000000', [11, 12]],
    ['0000000000000000', []],
    ['ffffffffffffffff', Array.from({ length: 64 }, (_, bit) => bit)],
    ['00180000', null],
    ['', null],
    ['001800000000000000', null],
  ])('attnets %s', (value, expected) => {
    expect(read({ attnets: hex(value) }).attnets).toEqual(expected);
  });

  it.each([
    ['0f', [0, 1, 2, 3]],
    ['f1', [0]],
    // Lodestar's early record writes eight bytes.
    ['0500000000000000', [0, 2]],
    ['', null],
  ])('syncnets %s', (value, expected) => {
    expect(read({ syncnets: hex(value) }).syncnets).toEqual(expected);
  });

  it.each([
    ['8c9f62fe', '8c9f62fe'],
    ['00000000', '00000000'],
    ['8c9f62', null],
    ['', null],
  ])('nfd %s', (value, expected) => {
    expect(read({ nfd: hex(value) }).nextForkDigest).toBe(expected);
  });

  it('eth2 is 16 bytes or none', () => {
    expect(read({ eth2: hex('8c9f62fe06000000ffffffffffffffff') }).eth2).toEqual({
      forkDigest: '8c9f62fe',
      nextForkVersion: '06000000',
      nextForkEpoch: 2n ** 64n - 1n,
    });
    for (const wrong of ['8c9f62fe', '', '00'.repeat(17)]) expect(read({ eth2: hex(wrong) }).eth2).toBeNull();
  });

  it('that is a list counts as missing', () => {
    const list = (length: number): RlpItem => Array.from({ length }, () => hex('01'));
    const record = read({
      attnets: list(8),
      cgc: list(2),
      eth2: list(16),
      ip: list(4),
      nfd: list(4),
      syncnets: list(1),
      tcp: list(2),
      udp: list(2),
    });
    expect(record).toMatchObject({
      addresses: [],
      udp: [],
      eth2: null,
      attnets: null,
      syncnets: null,
      custodyGroupCount: null,
      nextForkDigest: null,
    });
  });
});

describe('addresses', () => {
  const ip = hex('01020304');
  const ip6 = hex('20010db8000000000000000000000001');
  const port = (value: number) => hex(value.toString(16).padStart(4, '0'));
  const multiaddrs = (entries: Record<string, RlpItem>) => recordOf(enrWith(entries)).addresses.map(multiaddrText);

  it.each<[string, Record<string, RlpItem>, string[]]>([
    ['none', {}, []],
    ['an IP without ports', { ip }, []],
    ['ports without an IP', { tcp: port(9000), quic: port(9001) }, []],
    ['TCP', { ip, tcp: port(9000) }, ['/ip4/1.2.3.4/tcp/9000']],
    [
      'QUIC before TCP, IPv4 before IPv6',
      { ip, ip6, quic: port(9001), quic6: port(9091), tcp: port(9000), tcp6: port(9090) },
      [
        '/ip4/1.2.3.4/udp/9001/quic-v1',
        '/ip6/2001:db8::1/udp/9091/quic-v1',
        '/ip4/1.2.3.4/tcp/9000',
        '/ip6/2001:db8::1/tcp/9090',
      ],
    ],
    ['IPv6 only, with the v4 port', { ip6, tcp: port(9000) }, ['/ip6/2001:db8::1/tcp/9000']],
    ['IPv6 only, with a port of its own', { ip6, tcp6: port(9000) }, ['/ip6/2001:db8::1/tcp/9000']],
    ['port 0', { ip, tcp: hex('') }, []],
    ['a small port', { ip, tcp: hex('50') }, ['/ip4/1.2.3.4/tcp/80']],
    ['a port of three bytes', { ip, tcp: hex('012345') }, []],
    ['an IP of the wrong length', { ip: hex('010203'), ip6: ip, tcp: port(9000) }, []],
    ['a mapped IPv4', { ip6: hex(`${'00'.repeat(10)}ffff01020304`), tcp6: port(1) }, ['/ip6/::ffff:102:304/tcp/1']],
    ['the unspecified IPv6', { ip6: hex('00'.repeat(16)), tcp6: port(1) }, ['/ip6/::/tcp/1']],
  ])('%s', (_, entries, expected) => {
    expect(multiaddrs(entries)).toEqual(expected);
  });

  it('of discv5 are of their own', () => {
    expect(recordOf(enrWith({ ip, ip6, udp: port(9000), udp6: port(9090) })).udp).toEqual([
      { ip: '1.2.3.4', port: 9_000 },
      { ip: '2001:db8::1', port: 9_090 },
    ]);
    expect(recordOf(enrWith({ ip6, udp: port(9000) })).udp).toEqual([{ ip: '2001:db8::1', port: 9_000 }]);
  });
});

describe('a text that is not a record', () => {
  it.each([
    ['nothing', ''],
    ['the empty record of the Go program', 'enr:'],
    ['another scheme', 'enode://00'],
    ['not base64url', 'enr:***'],
    ['no list', `enr:${Buffer.of(0x83, 1, 2, 3).toString('base64url')}`],
    ['an empty list', `enr:${Buffer.of(0xc0).toString('base64url')}`],
    ['without an identity scheme', signedEnr([['ip', hex('01020304')]])],
    ['of another identity scheme', signedEnr([['id', Buffer.from('v5')]])],
    ['without a key', signedEnr([['id', Buffer.from('v4')]])],
    [
      'with a key that is none',
      signedEnr([
        ['id', Buffer.from('v4')],
        ['secp256k1', hex(`02${'ff'.repeat(32)}`)],
      ]),
    ],
    ['over-long', enrWith({ zz: new Uint8Array(200).fill(1) })],
    ['far over-long', `enr:${'A'.repeat(10_000_000)}`],
  ])('%s', (_, text) => {
    expect(decodeNodeRecord(text)).toMatchObject(refusal);
  });

  it('is one or is not, whatever the bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 400 }).map((value) => `enr:${Buffer.from(value).toString('base64url')}`);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string().map((text) => `enr:${text}`),
          bytes,
        ),
        (text) => {
          expect(decodeNodeRecord(text)).toMatchObject(refusal);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('but a signed record of any entries is read, and its text passes on', () => {
    const item: fc.Arbitrary<RlpItem> = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.array(fc.uint8Array({ maxLength: 3 }), { maxLength: 6 }),
    );
    const key = fc.constantFrom('attnets', 'cgc', 'eth2', 'ip', 'ip6', 'nfd', 'quic', 'syncnets', 'tcp', 'tcp6', 'udp');
    fc.assert(
      fc.property(fc.dictionary(key, item, { maxKeys: 6 }), (entries) => {
        const enr = enrWith(entries);
        fc.pre(enr.length <= 404);
        const record = recordOf(enr);
        for (const address of record.addresses) {
          expect(multiaddrText(address)).toMatch(/^\/ip[46]\/[0-9a-f.:]+\/(tcp\/\d+|udp\/\d+\/quic-v1)$/);
        }
        expect([null, 'number']).toContain(record.custodyGroupCount === null ? null : typeof record.custodyGroupCount);
        expect(recordOf(record.enr)).toEqual(record);
      }),
    );
  });
});

describe('entries of the wrong length', () => {
  const LENGTHS = { attnets: 8, eth2: 16, ip: 4, ip6: 16, nfd: 4 };

  it.each(Object.entries(LENGTHS))('of %s are named, and count as missing', (key, length) => {
    for (const wrong of [0, length - 1, length + 1]) {
      expect(recordOf(enrWith({ [key]: new Uint8Array(wrong) }))).toMatchObject({
        malformed: [key],
        attnets: null,
        eth2: null,
        nextForkDigest: null,
        addresses: [],
      });
    }
    expect(recordOf(enrWith({ [key]: new Uint8Array(length) })).malformed).toEqual([]);
  });

  it('are all named', () => {
    const entries = Object.keys(LENGTHS).map((key): [string, Uint8Array] => [key, new Uint8Array(5)]);
    expect(recordOf(enrWith(Object.fromEntries(entries))).malformed.toSorted()).toEqual(Object.keys(LENGTHS));
  });

  it('are none in a record without them, and none in longer syncnets, which some clients write', () => {
    expect(recordOf(enrWith({})).malformed).toEqual([]);
    expect(recordOf(enrWith({ syncnets: new Uint8Array(8) })).malformed).toEqual([]);
  });
});

describe('a record that came in a message', () => {
  /** As discv5 hands them over: decoded already. */
  const inParts = (enr: string) => readNodeRecord(enrOfValues(RLP.decode(Buffer.from(enr.slice(4), 'base64url'))));

  it.each([
    ['of usual entries', enrWith({ cgc: hex('04'), ip: hex('01020304'), tcp: hex('2328') }), 1n],
    ['of sequence 0', enrWith({}, hex('')), 0n],
    ['of a sequence that is no safe integer', enrWith({}, hex('20000000000001')), 2n ** 53n + 1n],
    ['of the largest sequence', enrWith({}, hex('ffffffffffffffff')), 2n ** 64n - 1n],
    ['with keys in the order of bytes', enrWith({ B: hex('01'), _a: hex('01'), a: hex('01') }), 1n],
  ])('passes on as it was signed: %s', (_, enr, sequence) => {
    expect(inParts(enr)).toMatchObject({ ok: true, value: { enr, sequence } });
    expect(decodeNodeRecord(enr)).toEqual(inParts(enr));
  });

  it('has 300 bytes at most', () => {
    const sized = (bytes: number) => enrWith({ z: new Uint8Array(bytes) });
    const bytesOf = (enr: string) => Buffer.from(enr.slice(4), 'base64url').length;
    const room = 300 - bytesOf(sized(150));
    expect(bytesOf(sized(150 + room))).toBe(300);
    expect(inParts(sized(150 + room))).toMatchObject({ ok: true });
    expect(() => inParts(sized(151 + room))).toThrow('an ENR of 301 bytes');
    expect(decodeNodeRecord(sized(151 + room))).toMatchObject(refusal);
  });

  // go-ethereum refuses each of these: p2p/enr/enr.go `decodeRecord`.
  it.each([
    [
      'a key that comes twice',
      signedEnr([
        ['id', Buffer.from('v4')],
        ['id', Buffer.from('v4')],
      ]),
    ],
    ['a sequence that begins with a zero', enrWith({}, hex('0001'))],
    ['a sequence of nine bytes', enrWith({}, hex('010000000000000000'))],
  ])('is refused with %s', (_, enr) => {
    expect(() => inParts(enr)).toThrow();
    expect(decodeNodeRecord(enr)).toMatchObject(refusal);
  });
});
