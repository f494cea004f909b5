/** `YYYY-MM-DD` of the day, by UTC, that a moment is in. */
export function dayOf(unixMs: number): string {
  return new Date(unixMs).toISOString().slice(0, 10);
}
