import { LRUCache } from 'lru-cache';
import type { NetworkClock } from './clock.ts';
import type { Network } from './network.ts';

/** Whether this machine's clock is right, by the heads that peers tell: each is of a slot that has begun where they are. */
export interface ClockCheck {
  /** Takes the slot of a head that a peer tells in its Status. */
  heard(peerId: string, headSlot: number, nowMs: number): void;
  /** What is wrong with the clock, for people; `null` when most peers agree with it, or too few were heard. */
  reason(nowMs: number): string | null;
}

/** Fewer peers prove nothing … */
const FEWEST_PEERS = 8;
/** … nor do fewer than two in three. */
const MAJORITY = 2 / 3;
const MAX_PEERS = 256;
const FRESH_EPOCHS = 2;
/** A head may be of a slot that begins here in a moment. */
const AHEAD_SLOTS = 2;
const AHEAD_MS = 1_000;
/** Blocks are late, or missing; a whole network without any for so long is rarer than a clock that is fast. */
const BEHIND_SLOTS = 16;
const BEHIND_MS = 5_000;

export function createClockCheck(clock: NetworkClock, { slotMs }: Pick<Network, 'slotMs'>): ClockCheck {
  const offsets = new LRUCache<string, { readonly slots: number; readonly atMs: number }>({ max: MAX_PEERS });
  const isAhead = (slots: number) => slots > AHEAD_SLOTS && slots * slotMs >= AHEAD_MS;
  const isBehind = (slots: number) => slots < -BEHIND_SLOTS && -slots * slotMs >= BEHIND_MS;

  return {
    heard(peerId, headSlot, nowMs) {
      offsets.set(peerId, { slots: headSlot - clock.slotAt(nowMs), atMs: nowMs });
    },
    reason(nowMs) {
      const isFresh = ({ atMs }: { atMs: number }) => Math.abs(nowMs - atMs) <= FRESH_EPOCHS * clock.epochMs;
      const slots = [...offsets.values()].filter(isFresh).map((offset) => offset.slots);
      const most = (some: readonly number[]) => slots.length >= FEWEST_PEERS && some.length > MAJORITY * slots.length;
      const [ahead, behind] = [slots.filter(isAhead), slots.filter(isBehind)];
      if (most(ahead)) {
        return `the heads of ${ahead.length} of ${slots.length} peers are some ${median(ahead)} slots ahead of the clock of this machine: set it`;
      }
      if (most(behind)) {
        return `the heads of ${behind.length} of ${slots.length} peers are some ${-median(behind)} slots behind the clock of this machine: it is fast, or the network makes no blocks`;
      }
      return null;
    },
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
