import type { ENR } from '@chainsafe/enr';
import { setBits, toHex } from './bits.ts';
import { decodeEnrText } from './enr.ts';
import { failed, type Outcome, success } from './failure.ts';

/** What a beacon node says of itself in its ENR (phase0/p2p-interface.md, "ENR structure"; fulu adds `cgc` and `nfd`). */

export interface NodeAddress {
  readonly transport: 'tcp' | 'quic';
  readonly family: 4 | 6;
  readonly ip: string;
  readonly port: number;
}

export interface EnrForkId {
  /** 4 bytes of hex. */
  readonly forkDigest: string;
  /** 4 bytes of hex. */
  readonly nextForkVersion: string;
  readonly nextForkEpoch: bigint;
}

export interface NodeRecord {
  /** `enr:…`, as the node signed it. */
  readonly enr: string;
  readonly sequence: bigint;
  /** 32 bytes of hex: keccak256 of the public key. */
  readonly nodeId: string;
  /** base58 libp2p peer id of the same key. */
  readonly peerId: string;
  /** Where libp2p listens, QUIC before TCP and IPv4 before IPv6. May be empty. */
  readonly addresses: readonly NodeAddress[];
  /** Where discv5 listens, if said. */
  readonly udp: readonly { readonly ip: string; readonly port: number }[];
  readonly eth2: EnrForkId | null;
  /** Long-lived attestation subnets, ascending; `null` when the entry is missing or not 8 bytes. */
  readonly attnets: readonly number[] | null;
  readonly syncnets: readonly number[] | null;
  /** `null` when absent; the empty value means 0. */
  readonly custodyGroupCount: number | null;
  /** 4 bytes of hex: digest of the next scheduled fork, zeros if none. */
  readonly nextForkDigest: string | null;
  /** Entries that are there and of the wrong length, and so count as missing. */
  readonly malformed: readonly string[];
}

/** Entries of a beacon node's record that have a fixed length, in bytes. */
const ENTRY_BYTES: ReadonlyMap<string, number> = new Map([
  ['eth2', 16],
  ['attnets', 8],
  ['nfd', 4],
  ['ip', 4],
  ['ip6', 16],
]);

/** An ENR is at most 300 bytes (EIP-778): `enr:` and 400 characters of base64url. */
const MAX_ENR_TEXT = 404;

/** Decodes and verifies an `enr:` text. Total: anything else is a failure that says why. */
export function decodeNodeRecord(text: string): Outcome<NodeRecord> {
  const trimmed = text.trim();
  if (trimmed.length > MAX_ENR_TEXT) return failed('resolve', 'bad_response', `an ENR of ${trimmed.length} characters`);
  try {
    return readNodeRecord(decodeEnrText(trimmed));
  } catch (error) {
    return failed('resolve', 'bad_response', `not a valid ENR: ${message(error)}`);
  }
}

/** Reads the fields of a verified ENR. Entries of the wrong type or length count as missing. */
export function readNodeRecord(enr: ENR): Outcome<NodeRecord> {
  try {
    const field = (key: string) => bytesAt(enr, key);
    const attnets = field('attnets');
    const syncnets = field('syncnets');
    const nextForkDigest = field('nfd');
    return success({
      enr: enr.encodeTxt(),
      sequence: enr.seq,
      nodeId: enr.nodeId,
      peerId: enr.peerId.toString(),
      addresses: libp2pAddresses(enr),
      udp: discoveryAddresses(enr),
      eth2: readEth2(field('eth2')),
      attnets: attnets?.length === 8 ? setBits(attnets) : null,
      // Some clients write a longer vector; only the low four bits mean anything.
      syncnets:
        syncnets !== undefined && syncnets.length > 0
          ? setBits(syncnets.subarray(0, 1)).filter((bit) => bit < 4)
          : null,
      custodyGroupCount: readUint(field('cgc')),
      nextForkDigest: nextForkDigest?.length === 4 ? toHex(nextForkDigest) : null,
      malformed: [...ENTRY_BYTES].flatMap(([key, length]) => ((field(key)?.length ?? length) === length ? [] : [key])),
    });
  } catch (error) {
    return failed('resolve', 'bad_response', `not a usable ENR: ${message(error)}`);
  }
}

/** An entry may also be an RLP list, which the types of the ENR library do not say. */
function bytesAt({ kvs }: ENR, key: string): Uint8Array | undefined {
  const value: unknown = kvs.get(key);
  return value instanceof Uint8Array ? value : undefined;
}

function libp2pAddresses(enr: ENR): NodeAddress[] {
  const ip4 = ipText(bytesAt(enr, 'ip'), 4);
  const ip6 = ipText(bytesAt(enr, 'ip6'), 16);
  const port = (key: string) => readPort(bytesAt(enr, key));
  const addresses: NodeAddress[] = [];
  for (const transport of ['quic', 'tcp'] as const) {
    const port4 = port(transport);
    // EIP-778: the v6 port falls back to the v4 one when absent.
    const port6 = port(`${transport}6`) ?? port4;
    if (ip4 !== null && port4 !== null) addresses.push({ transport, family: 4, ip: ip4, port: port4 });
    if (ip6 !== null && port6 !== null) addresses.push({ transport, family: 6, ip: ip6, port: port6 });
  }
  return addresses;
}

function discoveryAddresses(enr: ENR): { ip: string; port: number }[] {
  const addresses: { ip: string; port: number }[] = [];
  const ip4 = ipText(bytesAt(enr, 'ip'), 4);
  const ip6 = ipText(bytesAt(enr, 'ip6'), 16);
  const udp = readPort(bytesAt(enr, 'udp'));
  const udp6 = readPort(bytesAt(enr, 'udp6')) ?? udp;
  if (ip4 !== null && udp !== null) addresses.push({ ip: ip4, port: udp });
  if (ip6 !== null && udp6 !== null) addresses.push({ ip: ip6, port: udp6 });
  return addresses;
}

function ipText(bytes: Uint8Array | undefined, length: 4 | 16): string | null {
  if (bytes?.length !== length) return null;
  if (length === 4) return bytes.join('.');
  const groups: string[] = [];
  for (let index = 0; index < 16; index += 2)
    groups.push((((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0)).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** RLP integers are big-endian without leading zeros; the empty text is 0. */
function readUint(bytes: Uint8Array | undefined): number | null {
  if (bytes === undefined || bytes.length > 6) return null;
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

function readPort(bytes: Uint8Array | undefined): number | null {
  const port = bytes !== undefined && bytes.length <= 2 ? readUint(bytes) : null;
  return port === null || port === 0 ? null : port;
}

/** SSZ ENRForkID: digest, next version, next epoch as a little-endian uint64. */
function readEth2(bytes: Uint8Array | undefined): EnrForkId | null {
  if (bytes?.length !== 16) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  return {
    forkDigest: toHex(bytes.subarray(0, 4)),
    nextForkVersion: toHex(bytes.subarray(4, 8)),
    nextForkEpoch: view.getBigUint64(8, true),
  };
}

/** The multiaddr of a libp2p address, without the peer id. */
export function multiaddrText({ family, ip, port, transport }: NodeAddress): string {
  const host = `/ip${family}/${ip}`;
  return transport === 'tcp' ? `${host}/tcp/${port}` : `${host}/udp/${port}/quic-v1`;
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
