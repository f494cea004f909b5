/** A number of entries, and the bytes of their payloads. */
export interface EntriesSize {
  readonly entries: number;
  readonly bytes: number;
}

export const NOTHING: EntriesSize = { entries: 0, bytes: 0 };

export function plus(left: EntriesSize, right: EntriesSize): EntriesSize {
  return { entries: left.entries + right.entries, bytes: left.bytes + right.bytes };
}

export function minus(left: EntriesSize, right: EntriesSize): EntriesSize {
  return { entries: left.entries - right.entries, bytes: left.bytes - right.bytes };
}
