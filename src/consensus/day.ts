const DAY_MS = 24 * 3_600 * 1_000;

/** `YYYY-MM-DD` of the day, by UTC, that a moment is in. */
export function dayOf(unixMs: number): string {
  return new Date(unixMs).toISOString().slice(0, 10);
}

export function isSameDay(oneMs: number, otherMs: number): boolean {
  return Math.floor(oneMs / DAY_MS) === Math.floor(otherMs / DAY_MS);
}
