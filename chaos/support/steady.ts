import type { Ledger } from './ledger.ts';
import type { Pipeline } from './pipeline.ts';
import { pause } from './waiting.ts';

/** Events that flow at a steady pace while something is done to the program, and how steadily they were promised. */
export interface SteadyFlow {
  /** The longest time in which no event was promised, in ms. */
  longestPauseMs(): number;
  /** No more events. */
  stop(): Promise<void>;
}

export function steadyFlow(pipeline: Pipeline, perSecond: number): SteadyFlow {
  const { ledger } = pipeline;
  const beganMs = performance.now();
  const before = ledger.committed.size;
  let isOver = false;
  const due = () => before + Math.ceil(((performance.now() - beganMs) * perSecond) / 1000);
  const flowing = pipeline.flow(() => (isOver ? null : due()));
  let longestMs = 0;
  const watching = watchPauses(
    ledger,
    () => isOver,
    (ms) => {
      longestMs = Math.max(longestMs, ms);
    },
  );
  return {
    longestPauseMs: () => longestMs,
    async stop() {
      isOver = true;
      await Promise.all([flowing, watching]);
    },
  };
}

const LOOK_MS = 20;

async function watchPauses(ledger: Ledger, isOver: () => boolean, tell: (ms: number) => void): Promise<void> {
  let { size } = ledger.committed;
  let sinceMs = performance.now();
  while (!isOver()) {
    await pause(LOOK_MS);
    const nowMs = performance.now();
    tell(Math.round(nowMs - sinceMs));
    if (ledger.committed.size === size) continue;
    ({ size } = ledger.committed);
    sinceMs = nowMs;
  }
}
