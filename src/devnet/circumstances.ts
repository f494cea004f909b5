import { BOOTNODES, type Kind } from './kinds.ts';
import { seededRandom } from './random.ts';

/** How much room for peers a node has, and whether it follows the chain. Only lenient nodes have room for everybody. */
export const CIRCUMSTANCES = ['roomy', 'crowded', 'full', 'syncing'] as const;
/** `crowded` nodes have as many peers as they want and prune; `full` ones have no place for two thirds of the time. */
export type Circumstance = (typeof CIRCUMSTANCES)[number];

/** Whether a node wants peers, has enough of them, or has no place left. */
export type Room = 'wants-peers' | 'at-target' | 'full';

const SHARES = [
  ['crowded', 0.06],
  ['full', 0.05],
  ['syncing', 0.05],
] as const satisfies readonly (readonly [Circumstance, number])[];
const FULL_CYCLE_MS = 60_000;
const FULL_MS = 40_000;

export interface Circumstanced extends Pick<Kind, 'behaviour' | 'reach'> {
  readonly seed: number;
  readonly index: number;
}

/** Drawn apart from all else, so that a seed gives the same nodes with it as before it. */
export function drawCircumstance({ seed, index, behaviour, reach }: Circumstanced): Circumstance {
  if (behaviour !== 'honest' || reach === 'nat' || index < BOOTNODES) return 'roomy';
  let drawn = seededRandom('circumstance', seed, index)();
  for (const [circumstance, share] of SHARES) {
    if (drawn < share) return circumstance;
    drawn -= share;
  }
  return 'roomy';
}

export function roomAt(circumstance: Circumstance, index: number, nowMs: number): Room {
  switch (circumstance) {
    case 'crowded':
      return 'at-target';
    case 'full': {
      // Not all of them at the same moments.
      const phaseMs = seededRandom('full from', index)() * FULL_CYCLE_MS;
      return (nowMs + phaseMs) % FULL_CYCLE_MS < FULL_MS ? 'full' : 'wants-peers';
    }
    case 'roomy':
    case 'syncing':
      return 'wants-peers';
  }
}
