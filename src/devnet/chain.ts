import { bitVector, sha256, uint64 } from './bytes.ts';
import { SLOTS_PER_EPOCH } from './duties.ts';
import type { Presence } from './record.ts';
import { type ForkSchedule, forkDigest } from './schedule.ts';

/** The containers that nodes exchange about themselves, of a chain that never misses a slot. */

export const STATUS_BYTES = { 1: 84, 2: 92 } as const;
export const METADATA_BYTES = { 1: 16, 2: 17, 3: 25 } as const;
export const UINT64_BYTES = 8;

export const FINALITY_DELAY_EPOCHS = 2;
const ZERO_ROOT = Buffer.alloc(32);

/** Status (phase0 and fulu p2p-interface.md) during `slot`, of a node in sync, or of one that has only the genesis block. */
export function encodeStatus(schedule: ForkSchedule, slot: number, version: 1 | 2, isSynced = true): Buffer {
  const epoch = Math.floor(slot / SLOTS_PER_EPOCH);
  const finalizedEpoch = isSynced ? Math.max(0, epoch - FINALITY_DELAY_EPOCHS) : 0;
  const headSlot = isSynced ? slot : 0;
  const status = Buffer.concat([
    Buffer.from(forkDigest(schedule, epoch), 'hex'),
    blockRootAt(schedule, BigInt(finalizedEpoch)),
    uint64(BigInt(finalizedEpoch)),
    blockRoot(schedule, BigInt(headSlot)),
    uint64(BigInt(headSlot)),
    uint64(0n),
  ]);
  return status.subarray(0, STATUS_BYTES[version]);
}

export interface Status {
  /** 4 bytes of hex. */
  readonly forkDigest: string;
  readonly finalizedRoot: Buffer;
  readonly finalizedEpoch: bigint;
  readonly headRoot: Buffer;
  readonly headSlot: bigint;
  /** 0 in a Status of version 1, which does not tell. */
  readonly earliestAvailableSlot: bigint;
}

/** The parts of a Status of either version that a node looks at. */
export function readStatus(body: Uint8Array): Status {
  const bytes = Buffer.from(body);
  return {
    forkDigest: bytes.toString('hex', 0, 4),
    finalizedRoot: bytes.subarray(4, 36),
    finalizedEpoch: bytes.readBigUInt64LE(36),
    headRoot: bytes.subarray(44, 76),
    headSlot: bytes.readBigUInt64LE(76),
    earliestAvailableSlot: bytes.length < STATUS_BYTES[2] ? 0n : bytes.readBigUInt64LE(84),
  };
}

/** MetaData (phase0, altair and fulu p2p-interface.md). */
export function encodeMetaData(
  { longLived, sync }: Presence,
  { sequence, custodyGroupCount }: { sequence: number; custodyGroupCount: number },
  version: 1 | 2 | 3,
): Buffer {
  const metaData = Buffer.concat([
    uint64(BigInt(sequence)),
    bitVector(longLived, 8),
    bitVector(sync, 1),
    uint64(BigInt(custodyGroupCount)),
  ]);
  return metaData.subarray(0, METADATA_BYTES[version]);
}

/** Whether MetaData of any version names an attestation subnet or, from version 2 on, a sync subnet. */
export function subnetsIn(metaData: Uint8Array): { readonly attestation: boolean; readonly sync: boolean } {
  const names = (from: number, to: number) => metaData.subarray(from, to).some((byte) => byte !== 0);
  return { attestation: names(8, 16), sync: names(16, 17) };
}

/** The custody group count that a peer's MetaData of version 3 states. */
export function custodyGroupCountIn(metaData: Uint8Array): bigint {
  return Buffer.from(metaData).readBigUInt64LE(17);
}

/** The root of a checkpoint at `epoch`; zero at genesis, as in the specification's genesis state. */
export function blockRootAt(schedule: ForkSchedule, epoch: bigint): Buffer {
  return epoch === 0n ? ZERO_ROOT : blockRoot(schedule, epoch * BigInt(SLOTS_PER_EPOCH));
}

/** The root of the block of a slot; no slot is missed. */
export function blockRoot(schedule: ForkSchedule, slot: bigint): Buffer {
  const slotBytes = uint64(BigInt.asUintN(64, slot));
  return sha256(Buffer.concat([Buffer.from(schedule.genesisValidatorsRoot, 'hex'), slotBytes]));
}
