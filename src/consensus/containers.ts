import { ssz } from '@lodestar/types';
import { bitsFrom } from './bits.ts';
import { failed, type Outcome, type Stage, success } from './failure.ts';

/** The request/response containers a crawler exchanges, in plain shapes (fulu/p2p-interface.md, "Req/Resp domain"). */

export interface Status {
  /** 4 bytes of hex. */
  readonly forkDigest: string;
  /** 32 bytes of hex. */
  readonly finalizedRoot: string;
  readonly finalizedEpoch: number;
  readonly headRoot: string;
  readonly headSlot: number;
  /** Since status/2; `null` from a peer that speaks status/1 only. */
  readonly earliestAvailableSlot: number | null;
}

export interface MetaData {
  /** Held at 2^53 - 1 when a peer claims more. */
  readonly seqNumber: number;
  /** 8 bytes. */
  readonly attnets: Uint8Array;
  /** 1 byte; 0 from a peer that speaks metadata/1 only. */
  readonly syncnets: Uint8Array;
  /** Since metadata/3; `null` before. */
  readonly custodyGroupCount: number | null;
}

/** The root of nothing: a node before its first finality says that it has finalized this. */
export const ZERO_ROOT = '00'.repeat(32);

export type StatusVersion = 1 | 2;
export type MetaDataVersion = 1 | 2 | 3;

/** Exact SSZ sizes in bytes; every container here is of fixed size. */
export const STATUS_BYTES: Readonly<Record<StatusVersion, number>> = { 1: 84, 2: 92 };
export const METADATA_BYTES: Readonly<Record<MetaDataVersion, number>> = { 1: 16, 2: 17, 3: 25 };
export const UINT64_BYTES = 8;

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));
/** A stranger may claim any 64-bit number; what a JavaScript integer cannot hold is held at its limit. */
const finite = (value: number) => Math.min(value, Number.MAX_SAFE_INTEGER);

export function encodeStatus(status: Status, version: StatusVersion): Uint8Array {
  const common = {
    forkDigest: bytes(status.forkDigest),
    finalizedRoot: bytes(status.finalizedRoot),
    finalizedEpoch: status.finalizedEpoch,
    headRoot: bytes(status.headRoot),
    headSlot: status.headSlot,
  };
  return version === 1
    ? ssz.phase0.Status.serialize(common)
    : ssz.fulu.Status.serialize({ ...common, earliestAvailableSlot: status.earliestAvailableSlot ?? status.headSlot });
}

export function decodeStatus(body: Uint8Array, version: StatusVersion): Outcome<Status> {
  if (body.length !== STATUS_BYTES[version]) return badLength('status', body.length, STATUS_BYTES[version]);
  const value = version === 1 ? ssz.phase0.Status.deserialize(body) : ssz.fulu.Status.deserialize(body);
  return success({
    forkDigest: hex(value.forkDigest),
    finalizedRoot: hex(value.finalizedRoot),
    finalizedEpoch: finite(value.finalizedEpoch),
    headRoot: hex(value.headRoot),
    headSlot: finite(value.headSlot),
    earliestAvailableSlot: 'earliestAvailableSlot' in value ? finite(value.earliestAvailableSlot as number) : null,
  });
}

export function encodeMetaData(metaData: MetaData, version: MetaDataVersion): Uint8Array {
  const seqNumber = BigInt(metaData.seqNumber);
  const attnets = ssz.phase0.AttestationSubnets.deserialize(metaData.attnets);
  const syncnets = ssz.altair.SyncSubnets.deserialize(metaData.syncnets);
  if (version === 1) return ssz.phase0.Metadata.serialize({ seqNumber, attnets });
  if (version === 2) return ssz.altair.Metadata.serialize({ seqNumber, attnets, syncnets });
  return ssz.fulu.Metadata.serialize({
    seqNumber,
    attnets,
    syncnets,
    custodyGroupCount: metaData.custodyGroupCount ?? 0,
  });
}

export function decodeMetaData(body: Uint8Array, version: MetaDataVersion): Outcome<MetaData> {
  if (body.length !== METADATA_BYTES[version]) return badLength('metadata', body.length, METADATA_BYTES[version]);
  try {
    const value =
      version === 1
        ? ssz.phase0.Metadata.deserialize(body)
        : version === 2
          ? ssz.altair.Metadata.deserialize(body)
          : ssz.fulu.Metadata.deserialize(body);
    return success({
      seqNumber: finite(Number(value.seqNumber)),
      attnets: new Uint8Array(value.attnets.uint8Array),
      syncnets:
        'syncnets' in value
          ? new Uint8Array((value.syncnets as { uint8Array: Uint8Array }).uint8Array)
          : bitsFrom([], 1),
      custodyGroupCount: 'custodyGroupCount' in value ? finite(value.custodyGroupCount as number) : null,
    });
  } catch (error) {
    // Bits set outside Bitvector[4] make the container invalid.
    return failed('metadata', 'bad_response', error instanceof Error ? error.message : String(error));
  }
}

/** Ping carries a MetaData sequence number, Goodbye a reason; both are one little-endian uint64. */
export function encodeUint64(value: bigint): Uint8Array {
  return ssz.phase0.Ping.serialize(value);
}

export function decodeUint64(body: Uint8Array, stage: Stage): Outcome<bigint> {
  if (body.length !== UINT64_BYTES) return badLength(stage, body.length, UINT64_BYTES);
  return success(ssz.phase0.Ping.deserialize(body));
}

function badLength(stage: Stage, got: number, wanted: number): Outcome<never> {
  return failed(stage, 'bad_response', `SSZ body of ${got} bytes, expected ${wanted}`);
}
