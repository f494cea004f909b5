/** What the stream was found to have lost, until publishing has gone back to where nothing is. */
export interface Losses {
  readonly isAny: boolean;
  found(): void;
  /**
   * What has left the stream without its effect, from this position of the spool on.
   *
   * @returns how many milliseconds to wait before it is published again: what is never applied comes at longer and
   *   longer intervals
   */
  foundAt(position: number): number;
  mended(): void;
}

const MIN_WAIT_MS = 250;
const MAX_WAIT_MS = 60_000;

export function createLosses(): Losses {
  let isAny = false;
  /** What was lost last, and how long to wait should it be lost again. */
  let last = { position: 0, waitMs: 0 };

  return {
    get isAny() {
      return isAny;
    },
    found() {
      isAny = true;
    },
    foundAt(position) {
      isAny = true;
      const waitMs = position === last.position ? last.waitMs : 0;
      last = { position, waitMs: Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, 2 * waitMs)) };
      return waitMs;
    },
    mended() {
      isAny = false;
    },
  };
}
