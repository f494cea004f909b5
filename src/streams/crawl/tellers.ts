/**
 * Who told of whom first, in one round. A node that tells of many that nobody else has told of, none of which answers,
 * is making them up.
 */
export interface Tellers {
  beginRound(): void;
  /** `teller` was the first to tell of `nodeId`, who will be asked. */
  told(teller: string, nodeId: string): void;
  /** @returns the node that is found to make up others by this answer or silence, once a round; else `null`. */
  heard(nodeId: string, answered: boolean): string | null;
}

/** One node in two that honest ones tell of does not answer: this many in a row are no accident. */
export const SILENT_IN_A_ROW = 16;

export function createTellers(): Tellers {
  const tellerOf = new Map<string, string>();
  const silent = new Map<string, number>();

  return {
    beginRound() {
      tellerOf.clear();
      silent.clear();
    },
    told(teller, nodeId) {
      tellerOf.set(nodeId, teller);
    },
    heard(nodeId, answered) {
      const teller = tellerOf.get(nodeId);
      if (teller === undefined) return null;
      tellerOf.delete(nodeId);
      // Whoever has told of one that answers is believed for the rest of the round.
      const count = answered ? Number.NEGATIVE_INFINITY : (silent.get(teller) ?? 0) + 1;
      silent.set(teller, count);
      return count === SILENT_IN_A_ROW ? teller : null;
    },
  };
}
