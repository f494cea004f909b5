import type { Slots } from './flow/slots.ts';

/**
 * Which visits are in flight and which slot each holds. A slot is given back exactly once, whether the visit ends by
 * itself or is given up.
 */
export interface VisitLedger {
  begin(peerId: string, slots: Slots, nowMs: number): void;
  /** Gives the slot back; false when the visit was not, or is no longer, in flight. */
  end(peerId: string): boolean;
  /** Visits that began before `beforeMs`. */
  startedBefore(beforeMs: number): string[];
  readonly size: number;
}

export function createVisitLedger(): VisitLedger {
  const inFlight = new Map<string, { readonly slots: Slots; readonly startedMs: number }>();
  return {
    begin(peerId, slots, nowMs) {
      inFlight.set(peerId, { slots, startedMs: nowMs });
    },
    end(peerId) {
      const visit = inFlight.get(peerId);
      if (visit === undefined) return false;
      inFlight.delete(peerId);
      visit.slots.release();
      return true;
    },
    startedBefore: (beforeMs) =>
      [...inFlight].flatMap(([peerId, { startedMs }]) => (startedMs < beforeMs ? [peerId] : [])),
    get size() {
      return inFlight.size;
    },
  };
}
