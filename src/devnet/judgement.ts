import { blockRootAt, FINALITY_DELAY_EPOCHS, readStatus } from './chain.ts';
import type { ClientName } from './clients.ts';
import { SLOTS_PER_EPOCH } from './duties.ts';
import { GOODBYE } from './goodbye.ts';
import { type ForkSchedule, forkDigest } from './schedule.ts';

/** What a client makes of a peer's Status. */
export type Judgement =
  | { readonly stays: true; readonly unless?: 'it cannot serve its finalized block' }
  | { readonly stays: false; readonly reason: number; readonly because: string };

const STAYS: Judgement = { stays: true };

/**
 * Judges a peer's Status as `client` does, during `slot`. A Status of zeros apart from the digest is that of a peer that
 * has not synced yet, and is accepted by all.
 */
export function judge(client: ClientName, schedule: ForkSchedule, slot: number, status: Uint8Array): Judgement {
  const { forkDigest: digest, finalizedRoot, finalizedEpoch, headSlot } = readStatus(status);
  const epoch = Math.floor(slot / SLOTS_PER_EPOCH);
  const finalized = BigInt(Math.max(0, epoch - FINALITY_DELAY_EPOCHS));
  // The clocks of the two may be on different sides of an epoch's boundary.
  const digests = [slot - 1, slot, slot + 1].map((at) => forkDigest(schedule, Math.floor(at / SLOTS_PER_EPOCH)));
  if (!digests.includes(digest)) return leaves(GOODBYE.irrelevantNetwork, 'another fork digest');

  const inFuture = headSlot > BigInt(slot + 1);
  const isKnownEpoch = finalizedEpoch <= finalized;
  const agrees = isZero(finalizedRoot) || finalizedRoot.equals(blockRootAt(schedule, finalizedEpoch));
  const otherChain = isKnownEpoch && !agrees;
  switch (client) {
    case 'Nimbus':
      if (inFuture) return leaves(GOODBYE.irrelevantNetwork, 'a head in the future');
      if (finalizedEpoch > headSlot / BigInt(SLOTS_PER_EPOCH)) {
        return leaves(GOODBYE.irrelevantNetwork, 'a finalized epoch after its head');
      }
      return STAYS;
    case 'Teku':
      if (finalizedEpoch === 0n) return STAYS;
      if (!isKnownEpoch) return { stays: true, unless: 'it cannot serve its finalized block' };
      return otherChain ? leaves(GOODBYE.irrelevantNetwork, 'another finalized checkpoint') : STAYS;
    case 'Prysm':
      if (inFuture) return leaves(GOODBYE.fault, 'a head in the future');
      if (!isKnownEpoch) return leaves(GOODBYE.fault, 'a finalized epoch that nobody can have yet');
      return otherChain ? leaves(GOODBYE.irrelevantNetwork, 'another finalized checkpoint') : STAYS;
    default:
      if (inFuture) return leaves(GOODBYE.irrelevantNetwork, 'a head in the future');
      return otherChain ? leaves(GOODBYE.irrelevantNetwork, 'another finalized checkpoint') : STAYS;
  }
}

function leaves(reason: number, because: string): Judgement {
  return { stays: false, reason, because };
}

function isZero(root: Uint8Array): boolean {
  return root.every((byte) => byte === 0);
}
