import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitsFrom, fromHex, setBits, toHex } from '../../src/consensus/bits.ts';
import { parseTopic, shortLivedSubnets, subnetTopics, type Topic } from '../../src/consensus/subnets.ts';

const topic = (name: string, digest = '8c9f62fe') => `/eth2/${digest}/${name}/ssz_snappy`;
const digest = '8c9f62fe';

describe('topics', () => {
  it.each<[string, Topic | null]>([
    ['beacon_attestation_0', { kind: 'attestation', digest, subnet: 0 }],
    ['beacon_attestation_63', { kind: 'attestation', digest, subnet: 63 }],
    ['sync_committee_0', { kind: 'sync', digest, subnet: 0 }],
    ['sync_committee_3', { kind: 'sync', digest, subnet: 3 }],
    ['data_column_sidecar_0', { kind: 'data-column', digest, subnet: 0 }],
    ['data_column_sidecar_127', { kind: 'data-column', digest, subnet: 127 }],
    ['beacon_attestation_64', null],
    ['sync_committee_4', null],
    ['data_column_sidecar_128', null],
    ['beacon_attestation_07', null],
    ['beacon_attestation_', null],
    ['beacon_attestation_-1', null],
    ['beacon_attestation_1e1', null],
    ['beacon_attestation_99999', null],
    ...[
      'beacon_block',
      'beacon_aggregate_and_proof',
      'voluntary_exit',
      'proposer_slashing',
      'attester_slashing',
      'sync_committee_contribution_and_proof',
      'bls_to_execution_change',
      'blob_sidecar_0',
      'execution_payload',
      'execution_payload_bid',
      'payload_attestation_message',
      'proposer_preferences',
    ].map((name): [string, Topic] => [name, { kind: 'other', digest }]),
  ])('%s', (name, expected) => {
    expect(parseTopic(topic(name))).toEqual(expected);
  });

  it.each([
    '',
    'beacon_attestation_1',
    '/eth2/8c9f62fe/beacon_attestation_1',
    '/eth2/8c9f62fe/beacon_attestation_1/ssz',
    '/eth2/8C9F62FE/beacon_attestation_1/ssz_snappy',
    '/eth2/0x8c9f62fe/beacon_attestation_1/ssz_snappy',
    '/eth2/8c9f62f/beacon_attestation_1/ssz_snappy',
    '/eth2/8c9f62fe/beacon_attestation_1/ssz_snappy\n',
    '\n/eth2/8c9f62fe/beacon_attestation_1/ssz_snappy',
    '/eth2/8c9f62fe//ssz_snappy',
    `/eth2/8c9f62fe/${'a'.repeat(65)}/ssz_snappy`,
  ])('%j is none', (text) => {
    expect(parseTopic(text)).toBeNull();
  });

  it('are read whatever a stranger sends', () => {
    const name = fc.oneof(
      fc.string(),
      fc.constantFrom('beacon_attestation_', 'sync_committee_', 'data_column_sidecar_'),
    );
    const built = fc
      .tuple(fc.string({ maxLength: 10 }), name, fc.oneof(fc.string(), fc.integer().map(String)))
      .map(([hex, first, last]) => `/eth2/${hex}/${first}${last}/ssz_snappy`);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), built), (text) => {
        const parsed = parseTopic(text);
        if (parsed === null || parsed.kind === 'other') return;
        expect(subnetTopics(parsed.digest)).toContain(text);
      }),
      { numRuns: 1_000 },
    );
  });

  it('of one fork are 64 + 4 + 128, each of which reads back', () => {
    const topics = subnetTopics(digest);
    expect(new Set(topics).size).toBe(196);
    expect(topics.map(parseTopic).filter((parsed) => parsed?.kind === 'attestation')).toHaveLength(64);
    expect(topics.map(parseTopic).filter((parsed) => parsed?.kind === 'sync')).toHaveLength(4);
    expect(topics.map(parseTopic).filter((parsed) => parsed?.kind === 'data-column')).toHaveLength(128);
  });
});

describe('short-lived subnets', () => {
  it('are what is left of the subscriptions, once each', () => {
    expect(shortLivedSubnets([63, 11, 12, 63, 0], [11, 12])).toEqual([0, 63]);
    expect(shortLivedSubnets([], [1])).toEqual([]);
  });

  it('are integers from 0 to 63 only', () => {
    expect(shortLivedSubnets([-1, 64, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 3], [])).toEqual([3]);
  });

  it('are a subset, ascending, disjoint from the long-lived', () => {
    const ids = fc.array(fc.integer({ min: -5, max: 70 }));
    fc.assert(
      fc.property(ids, ids, (subscribed, longLived) => {
        const expected = Array.from({ length: 64 }, (_, id) => id).filter(
          (id) => subscribed.includes(id) && !longLived.includes(id),
        );
        expect(shortLivedSubnets(subscribed, longLived)).toEqual(expected);
      }),
    );
  });
});

describe('bit vectors', () => {
  it.each([
    ['0018000000000000', [11, 12]],
    ['0000000000000600', [49, 50]],
    ['0100000000000080', [0, 63]],
    ['06', [1, 2]],
    ['', []],
  ])('%s has the bits %j', (hex, positions) => {
    expect(setBits(Buffer.from(hex, 'hex'))).toEqual(positions);
    expect(toHex(bitsFrom(positions, hex.length / 2))).toBe(hex);
  });

  it('survive a round trip; what is outside is ignored', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        expect(bitsFrom(setBits(bytes), bytes.length)).toEqual(bytes);
      }),
    );
    expect(bitsFrom([-1, -8, 8, 64, 3], 1)).toEqual(Uint8Array.of(8));
  });

  it('take hex in any case, with and without prefix, and nothing else', () => {
    expect(fromHex('0xAbCd')).toEqual(Uint8Array.of(0xab, 0xcd));
    expect(fromHex('')).toEqual(new Uint8Array(0));
    for (const text of ['abc', '0x0', 'zz', '0x0x', '12 4', '1\n']) expect(fromHex(text), text).toBeNull();
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(fromHex(toHex(bytes))).toEqual(bytes);
      }),
    );
  });
});
