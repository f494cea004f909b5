import { uint64 } from './bytes.ts';
import { blockRoot, readStatus, type Status } from './chain.ts';
import { SLOTS_PER_EPOCH } from './duties.ts';
import { type Self, statusOf } from './methods.ts';
import type { Method } from './reqresp.ts';

/** When a Status makes Lighthouse ask its sender for blocks (`network/src/sync/manager.rs` and `sync/peer_sync_info.rs`). */

/** `sync/manager.rs`: SLOT_IMPORT_TOLERANCE, how far the heads of two nodes in sync may be apart. */
const SLOT_IMPORT_TOLERANCE = 32n;
const BATCH_SLOTS = BigInt(SLOTS_PER_EPOCH);

export interface WantedBlocks {
  readonly method: Method;
  /** SSZ of the request. */
  readonly body: Uint8Array;
}

export function blocksWanted(self: Self, theirs: Status): WantedBlocks | null {
  const ours = readStatus(statusOf(self, 2));
  if (theirs.finalizedEpoch > ours.finalizedEpoch) return self.isSynced ? null : lastBatch(theirs);
  if (theirs.finalizedEpoch < ours.finalizedEpoch) return null;
  const distance = theirs.headSlot - ours.headSlot;
  const isNear = distance <= SLOT_IMPORT_TOLERANCE && -distance <= SLOT_IMPORT_TOLERANCE;
  const isKnown = theirs.headSlot <= ours.headSlot && theirs.headRoot.equals(blockRoot(self.schedule, theirs.headSlot));
  if (!isNear || isKnown) return null;
  return { method: 'beacon_blocks_by_root/2', body: theirs.headRoot };
}

/** A node that syncs has got all earlier batches from others, and the last from whoever is connected. */
function lastBatch({ finalizedEpoch, earliestAvailableSlot }: Status): WantedBlocks | null {
  const first = finalizedEpoch * BigInt(SLOTS_PER_EPOCH);
  if (earliestAvailableSlot > first) return null;
  return { method: 'beacon_blocks_by_range/2', body: Buffer.concat([first, BATCH_SLOTS, 1n].map(uint64)) };
}
