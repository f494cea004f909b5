/** Counts attempts to reach a server again, each of which comes after a longer wait than the one before. */
export interface Reconnects {
  /** Since the server was reached last. */
  readonly attempts: number;
  /** How long to wait before the next one. */
  delayMs(): number;
  attempted(): void;
  succeeded(): void;
}

const MIN_DELAY_MS = 250;
const MAX_DELAY_MS = 4_000;

export function reconnects(): Reconnects {
  let attempts = 0;
  return {
    get attempts() {
      return attempts;
    },
    delayMs: () => reconnectDelayMs(attempts),
    attempted() {
      attempts++;
    },
    succeeded() {
      attempts = 0;
    },
  };
}

/** How long to wait after so many attempts. */
export function reconnectDelayMs(attempts: number): number {
  return Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** Math.max(0, attempts - 1));
}
