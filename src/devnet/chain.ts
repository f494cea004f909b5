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

/** Status (phase0 and fulu p2p-interface.md) of a node in sync during `slot`. */
export function encodeStatus(schedule: ForkSchedule, slot: number, version: 1 | 2): Buffer {
  const epoch = Math.floor(slot / SLOTS_PER_EPOCH);
  const finalizedEpoch = Math.max(0, epoch - FINALITY_DELAY_EPOCHS);
  const status = Buffer.concat([
    Buffer.from(forkDigest(schedule, epoch), 'hex'),
    blockRootAt(schedule, BigInt(finalizedEpoch)),
    uint64(BigInt(finalizedEpoch)),
    blockRoot(schedule, BigInt(slot)),
    uint64(BigInt(slot)),
    uint64(0n),
  ]);
  return status.subarray(0, STATUS_BYTES[version]);
}

export interface Status {
  /** 4 bytes of hex. */
  readonly forkDigest: string;
  readonly finalizedRoot: Buffer;
  readonly finalizedEpoch: bigint;
  readonly headSlot: bigint;
}

/** The parts of a Status of either version that a node looks at. */
export function readStatus(body: Uint8Array): Status {
  const bytes = Buffer.from(body);
  return {
    forkDigest: bytes.toString('hex', 0, 4),
    finalizedRoot: bytes.subarray(4, 36),
    finalizedEpoch: bytes.readBigUInt64LE(36),
    headSlot: bytes.readBigUInt64LE(76),
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

/** The custody group count that a peer's MetaData of version 3 states. */
export function custodyGroupCountIn(metaData: Uint8Array): bigint {
  return Buffer.from(metaData).readBigUInt64LE(17);
}

/** The root of a checkpoint at `epoch`; zero at genesis, as in the specification's genesis state. */
export function blockRootAt(schedule: ForkSchedule, epoch: bigint): Buffer {
  return epoch === 0n ? ZERO_ROOT : blockRoot(schedule, epoch * BigInt(SLOTS_PER_EPOCH));
}

function blockRoot(schedule: ForkSchedule, slot: bigint): Buffer {
  const slotBytes = uint64(BigInt.asUintN(64, slot));
  return sha256(Buffer.concat([Buffer.from(schedule.genesisValidatorsRoot, 'hex'), slotBytes]));
}
