import { createHash } from 'node:crypto';
import type { NetworkClock } from '../consensus/clock.ts';
import { type Cause, RETRY_CLASS } from '../consensus/failure.ts';

/** When a peer is visited: once an epoch at its own moment, and after failures at growing distances. */

/**
 * Visits fill this part of the epoch, so that the last of them ends before the next epoch begins.
 */
const VISIT_SPREAD = 0.8;

/** Distances are in epochs, so that a network with short epochs is retried as often per observation as mainnet. */
const SOON_EPOCHS = 1 / 16;
const LATER_EPOCHS = 1;
const LESS_FULL_EPOCHS = 1 / 8;
const FORGIVEN_EPOCHS = 1 / 2;
/** As many as two epochs have room for. */
const FORGIVEN_TRIES = 4;
const MAX_BACKOFF_EPOCHS = 64;

/** A peer not seen alive for this many epochs (a week on mainnet) is forgotten … */
export const FORGET_AFTER_EPOCHS = 1575;
/** … when it also failed this often in a row: a crawler that was switched off has not tried. */
export const FORGET_AFTER_FAILURES = 8;

/** A number in [0, 1) that depends on the peer and the epoch alone, so that snapshots sample every slot of the epoch. */
export function visitPhase(peerId: string, epoch: number): number {
  return createHash('sha256').update(`${peerId}/${epoch}`).digest().readUInt32BE(0) / 2 ** 32;
}

/** The moment in `epoch` at which this peer is due, in Unix milliseconds. */
export function visitTimeMs(clock: NetworkClock, peerId: string, epoch: number): number {
  return Math.floor(clock.epochStartMs(epoch) + visitPhase(peerId, epoch) * VISIT_SPREAD * clock.epochMs);
}

/**
 * How long to wait after the `failures`-th failure in a row, in milliseconds: `null` means until the next epoch tick,
 * Infinity until a newer record.
 */
export function backoffMs(cause: Cause, failures: number, epochMs: number): number | null {
  const doubled = 2 ** Math.min(Math.max(failures, 1) - 1, 16);
  switch (RETRY_CLASS[cause]) {
    case 'soon':
      return Math.min(SOON_EPOCHS * doubled, MAX_BACKOFF_EPOCHS) * epochMs;
    case 'later':
      return Math.min(LATER_EPOCHS * doubled, MAX_BACKOFF_EPOCHS) * epochMs;
    case 'when-forgiven':
      if (failures <= FORGIVEN_TRIES) return FORGIVEN_EPOCHS * epochMs;
      return Math.min(doubled / 2 ** FORGIVEN_TRIES, MAX_BACKOFF_EPOCHS) * epochMs;
    case 'when-less-full':
      return failures > 1 ? null : LESS_FULL_EPOCHS * epochMs;
    case 'next-epoch':
      return null;
    case 'new-record':
      return Number.POSITIVE_INFINITY;
  }
}
