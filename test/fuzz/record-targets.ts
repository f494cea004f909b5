import { isDeepStrictEqual } from 'node:util';
import type { ENR } from '@chainsafe/enr';
import { RLP } from '@ethereumjs/rlp';
import fc from 'fast-check';
import { enrOfValues } from '../../src/consensus/enr.ts';
import { decodeNodeRecord, type NodeRecord, readNodeRecord } from '../../src/consensus/node-record.ts';
import { enrWith, type RlpItem } from '../support/consensus/raw-enr.ts';
import { bytesLike, type FuzzTarget, inWords, promise } from './target.ts';

/** Node records: as texts, as RLP, and well signed with entries that make no sense. */

/** The example of EIP-778, and beacon nodes' records. */
const EIP_778 =
  'enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8';
const BEACON_ENTRIES: Readonly<Record<string, RlpItem>> = {
  ip: Uint8Array.of(127, 0, 0, 1),
  ip6: new Uint8Array(16).fill(1, 15),
  tcp: Uint8Array.of(0x23, 0x28),
  udp: Uint8Array.of(0x23, 0x28),
  quic: Uint8Array.of(0x23, 0x29),
  eth2: new Uint8Array(Buffer.from('8c9f62fe06000000ffffffffffffffff', 'hex')),
  attnets: Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0),
  syncnets: Uint8Array.of(1),
  cgc: Uint8Array.of(4),
  nfd: new Uint8Array(4),
};
const TEXTS = [EIP_778, enrWith(BEACON_ENTRIES), enrWith({})];
const MAX_ENR_BYTES = 300;

function checkRecord(record: NodeRecord): void {
  const { enr, addresses, udp, attnets, syncnets } = record;
  promise(Buffer.from(enr.slice(4), 'base64url').length <= MAX_ENR_BYTES, 'a record has at most 300 bytes');
  for (const { port } of [...addresses, ...udp]) promise(port > 0 && port < 65_536, `port ${port}`);
  promise(
    (attnets ?? []).every((subnet) => subnet >= 0 && subnet < 64),
    'attestation subnets are within 0..63',
  );
  promise(
    (syncnets ?? []).every((subnet) => subnet >= 0 && subnet < 4),
    'sync subnets are within 0..3',
  );
  const again = decodeNodeRecord(enr);
  promise(again.ok && isDeepStrictEqual(again.value, record), 'a record that was read can be read from its text');
}

function readText(text: string): string {
  const decoded = decodeNodeRecord(text);
  if (!decoded.ok) return inWords(decoded.failure.detail ?? decoded.failure.cause);
  checkRecord(decoded.value);
  return `read, without ${decoded.value.malformed.join() || 'malformed entries'}`;
}

const enrText: FuzzTarget = {
  name: 'enr-text',
  input: bytesLike(TEXTS.map((text) => new Uint8Array(Buffer.from(text, 'latin1')))),
  check: (input) => readText(Buffer.from(input).toString('latin1')),
};

const enrRlp: FuzzTarget = {
  name: 'enr-rlp',
  input: bytesLike(TEXTS.map((text) => new Uint8Array(Buffer.from(text.slice(4), 'base64url')))),
  check: (input) => readText(`enr:${Buffer.from(input).toString('base64url')}`),
};

/** As discv5 hands records over: decoded from a message. */
const enrMessage: FuzzTarget = {
  name: 'enr-message',
  input: enrRlp.input,
  check: (input) => {
    let enr: ENR;
    try {
      enr = enrOfValues(RLP.decode(input));
    } catch (error) {
      return inWords(`discv5 leaves it out: ${String(error)}`);
    }
    const read = readNodeRecord(enr);
    if (!read.ok) return inWords(read.failure.detail ?? read.failure.cause);
    checkRecord(read.value);
    return 'read';
  },
};

const KEYS = [...Object.keys(BEACON_ENTRIES), 'tcp6', 'udp6', 'quic6', 'secp256k', 'zz'] as const;
const leaf = fc.uint8Array({ maxLength: 18 });
const value: fc.Arbitrary<RlpItem> = fc.oneof(
  { weight: 6, arbitrary: leaf },
  { weight: 1, arbitrary: fc.array(leaf, { maxLength: 2 }) },
);
const entries = fc.dictionary(fc.constantFrom(...KEYS), value, { maxKeys: 8 });
const sequence = fc.uint8Array({ maxLength: 9 });

/** What a stranger can do who has a key: everything but the signature is arbitrary. */
const enrSigned: FuzzTarget = {
  name: 'enr-signed',
  input: fc.oneof(
    fc
      .tuple(entries, sequence)
      .map(
        ([some, number]) => new Uint8Array(Buffer.from(enrWith(some, new Uint8Array(number)).slice(4), 'base64url')),
      ),
    fc
      .tuple(entries, sequence)
      .map(
        ([some, number]) =>
          new Uint8Array(
            Buffer.from(enrWith({ ...BEACON_ENTRIES, ...some }, new Uint8Array(number)).slice(4), 'base64url'),
          ),
      ),
  ),
  check: (input) => readText(`enr:${Buffer.from(input).toString('base64url')}`),
};

export const RECORD_TARGETS: readonly FuzzTarget[] = [enrText, enrRlp, enrMessage, enrSigned];
