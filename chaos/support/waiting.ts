import { setTimeout as pause } from 'node:timers/promises';

export { pause };

const LOOK_MS = 25;

/** Resolves to true once the condition holds, to false when it does not within the time. A look that throws is one in vain. */
export async function within(
  timeoutMs: number,
  condition: () => boolean | Promise<boolean>,
  lookMs = LOOK_MS,
): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    if (await holds(condition)) return true;
    if (performance.now() >= endMs) return false;
    await pause(lookMs);
  }
}

/** Waits for the condition. @throws Error that names what was waited for in vain */
export async function until(
  what: string,
  timeoutMs: number,
  condition: () => boolean | Promise<boolean>,
  lookMs = LOOK_MS,
): Promise<void> {
  let last: unknown;
  const look = async () => {
    try {
      return await condition();
    } catch (error) {
      last = error;
      return false;
    }
  };
  if (await within(timeoutMs, look, lookMs)) return;
  const why = last === undefined ? '' : ` (${last instanceof Error ? last.message : String(last)})`;
  throw new Error(`waited ${Math.round(timeoutMs / 1000)} s in vain: ${what}${why}`);
}

async function holds(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  try {
    return await condition();
  } catch {
    return false;
  }
}
