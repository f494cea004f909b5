import { bitVector, sha256, uint64 } from './bytes.ts';
import { SLOTS_PER_EPOCH } from './duties.ts';
import type { Presence } from './record.ts';
import { type ForkSchedule, forkDigest } from './schedule.ts';

/** The containers that nodes exchange about themselves, of a chain that never misses a slot. */

export const STATUS_BYTES = { 1: 84, 2: 92 } as const;
export const METADATA_BYTES = { 1: 16, 2: 17, 3: 25 } as const;
export const UINT64_BYTES = 8;

const FINALITY_DELAY_EPOCHS = 2;
const ZERO_ROOT = Buffer.alloc(32);

/** Status (phase0 and fulu p2p-interface.md) of a node in sync during `slot`. */
export function encodeStatus(schedule: ForkSchedule, slot: number, version: 1 | 2): Buffer {
  const epoch = Math.floor(slot / SLOTS_PER_EPOCH);
  const finalizedEpoch = Math.max(0, epoch - FINALITY_DELAY_EPOCHS);
  const status = Buffer.concat([
    Buffer.from(forkDigest(schedule, epoch), 'hex'),
    checkpointRoot(schedule, finalizedEpoch),
    uint64(BigInt(finalizedEpoch)),
    blockRoot(schedule, slot),
    uint64(BigInt(slot)),
    uint64(0n),
  ]);
  return status.subarray(0, STATUS_BYTES[version]);
}

/**
 * Why a node of this chain says Goodbye 2 to a peer with this Status, or `null` when it stays. A Status of zeros apart
 * from the digest is that of a peer that has not synced yet, and is accepted.
 */
export function irrelevance(schedule: ForkSchedule, slot: number, status: Uint8Array): string | null {
  const bytes = Buffer.from(status);
  const epoch = Math.floor(slot / SLOTS_PER_EPOCH);
  // The clocks of the two may be on different sides of an epoch's boundary.
  const digests = [slot - 1, slot, slot + 1].map((at) => forkDigest(schedule, Math.floor(at / SLOTS_PER_EPOCH)));
  if (!digests.includes(bytes.toString('hex', 0, 4))) return 'another fork digest';
  if (bytes.readBigUInt64LE(76) > BigInt(slot + 1)) return 'a head in the future';
  const root = bytes.subarray(4, 36);
  const finalizedEpoch = bytes.readBigUInt64LE(36);
  const isKnown = finalizedEpoch <= BigInt(Math.max(0, epoch - FINALITY_DELAY_EPOCHS));
  const agrees = root.equals(ZERO_ROOT) || root.equals(checkpointRoot(schedule, Number(finalizedEpoch)));
  return isKnown && !agrees ? 'another finalized checkpoint' : null;
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

/** Zero at genesis, as in the specification's genesis state. */
function checkpointRoot(schedule: ForkSchedule, epoch: number): Buffer {
  return epoch === 0 ? ZERO_ROOT : blockRoot(schedule, epoch * SLOTS_PER_EPOCH);
}

function blockRoot(schedule: ForkSchedule, slot: number): Buffer {
  return sha256(Buffer.concat([Buffer.from(schedule.genesisValidatorsRoot, 'hex'), uint64(BigInt(slot))]));
}
