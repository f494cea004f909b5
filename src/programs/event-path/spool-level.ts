import type { EventLogDepth } from '../../io/event-log/embedded/log.ts';
import { bytesText, clockText } from '../../io/logging/texts.ts';

/** How full the spool is, and in what words. */

export interface SpoolLimits {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

export type Level = 'roomy' | 'filling' | 'full';

const FILLING_AT = 0.8;
/** The rest is for what visits in flight bring. */
const FULL_AT = 0.98;
/** So much less it has to be before it is said that there is room again. */
const HYSTERESIS = 0.03;

/** The level that follows upon `before`. An oldest entry of the greatest age makes it full, as the last byte does. */
export function levelAfter(
  before: Level,
  depth: EventLogDepth,
  { maxBytes, maxAgeMs }: SpoolLimits,
  nowMs: number,
): Level {
  const share = Math.max(depth.bytes / maxBytes, (ageOf(depth, nowMs) / maxAgeMs) * FULL_AT);
  if (share >= FULL_AT || (before === 'full' && share >= FULL_AT - HYSTERESIS)) return 'full';
  if (share >= FILLING_AT || (before !== 'roomy' && share >= FILLING_AT - HYSTERESIS)) return 'filling';
  return 'roomy';
}

export function depthText(depth: EventLogDepth, { maxBytes, maxAgeMs }: SpoolLimits, nowMs: number): string {
  const full = `${Math.floor((100 * depth.bytes) / maxBytes)} % full`;
  return (
    `the event log on disk is ${full}: ${depth.entries} events wait, ${bytesText(depth.bytes)} of ${bytesText(maxBytes)}, ` +
    `the oldest for ${clockText(ageOf(depth, nowMs))} of ${clockText(maxAgeMs)}`
  );
}

function ageOf({ oldestMs }: EventLogDepth, nowMs: number): number {
  return oldestMs === null ? 0 : nowMs - oldestMs;
}
