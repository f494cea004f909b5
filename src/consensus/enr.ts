import { ENR, getV4Crypto } from '@chainsafe/enr';
import { type NestedUint8Array, RLP } from '@ethereumjs/rlp';

/**
 * Ethereum node records (EIP-778), taken as go-ethereum takes them: signed by the v4 scheme, at most 300 bytes, keys ascending
 * byte by byte and each once, any sequence number of 64 bits. The record keeps the bytes that were signed.
 */

const MAX_ENR_BYTES = 300;
const MAX_SEQUENCE_BYTES = 8;

/** @throws Error that says what is wrong with it */
export function decodeEnr(bytes: Uint8Array): ENR {
  if (bytes.length > MAX_ENR_BYTES) throw new Error(`an ENR of ${bytes.length} bytes`);
  return fromValues(RLP.decode(bytes), bytes);
}

/** A record that came as part of a message. @throws Error that says what is wrong with it */
export function enrOfValues(values: Uint8Array | NestedUint8Array): ENR {
  const bytes = RLP.encode(values);
  if (bytes.length > MAX_ENR_BYTES) throw new Error(`an ENR of ${bytes.length} bytes`);
  return fromValues(values, bytes);
}

/** @throws Error that says what is wrong with it */
export function decodeEnrText(text: string): ENR {
  if (!text.startsWith('enr:')) throw new Error('it does not begin with enr:');
  const base64url = text.slice('enr:'.length);
  const bytes = new Uint8Array(Buffer.from(base64url, 'base64url'));
  // Node's decoder passes over what is none; another text of the same record would be another record to others.
  if (Buffer.from(bytes).toString('base64url') !== base64url) throw new Error('it is not base64url');
  return decodeEnr(bytes);
}

function fromValues(values: Uint8Array | NestedUint8Array, bytes: Uint8Array): ENR {
  if (!Array.isArray(values)) throw new Error('it is not a list');
  const [signature, sequence, ...pairs] = values;
  if (!(signature instanceof Uint8Array) || !(sequence instanceof Uint8Array)) throw new Error('it is not signed');
  if (sequence.length > MAX_SEQUENCE_BYTES || sequence[0] === 0)
    throw new Error('its sequence is no number of 64 bits');
  const entries = entriesOf(pairs);
  const scheme = entries.get('id');
  if (!(scheme instanceof Uint8Array) || Buffer.from(scheme).toString() !== 'v4')
    throw new Error('its scheme is not v4');
  const publicKey = entries.get('secp256k1');
  if (!(publicKey instanceof Uint8Array)) throw new Error('it has no key');
  if (!isSigned(publicKey, RLP.encode([sequence, ...pairs]), signature))
    throw new Error('its signature is not of its key');
  // The type of the library knows of no lists among the values.
  return new ENR(entries as ReadonlyMap<string, Uint8Array>, numberOf(sequence), signature, bytes);
}

function isSigned(publicKey: Uint8Array, signed: Uint8Array, signature: Uint8Array): boolean {
  try {
    return getV4Crypto().verify(publicKey, signed, signature);
  } catch {
    // A key or a signature that is none.
    return false;
  }
}

type Value = Uint8Array | NestedUint8Array;

function entriesOf(pairs: readonly Value[]): Map<string, Value> {
  const entries = new Map<string, Value>();
  let last: Uint8Array | null = null;
  for (let index = 0; index < pairs.length; index += 2) {
    const [key, value] = pairs.slice(index, index + 2);
    if (!(key instanceof Uint8Array) || value === undefined) throw new Error('its entries are not pairs');
    if (last !== null && Buffer.compare(last, key) >= 0) throw new Error('its keys do not ascend');
    entries.set(Buffer.from(key).toString(), value);
    last = key;
  }
  return entries;
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}
