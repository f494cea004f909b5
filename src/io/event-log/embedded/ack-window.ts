/**
 * What one subscription has delivered and not yet seen acknowledged, in order. Acknowledgements come in any order; the
 * watermark, up to which everything is acknowledged, moves only over a contiguous prefix.
 */
export interface AckWindow {
  /** Notes a delivery; positions ascend. */
  deliver(position: number): void;
  /** Notes an acknowledgement; one that is repeated or was never delivered changes nothing. */
  ack(position: number): void;
  /** The last position of the acknowledged prefix, 0 before the first. */
  readonly watermark: number;
  readonly unacknowledged: number;
  /** Deliveries since the watermark, acknowledged or not: what this window has to remember. */
  readonly span: number;
}

/** Slots of the delivered prefix that are kept before they are cut off, so that cutting is rare. */
const COMPACT_AFTER = 1024;

export function ackWindow(): AckWindow {
  let positions: number[] = [];
  let first = 0;
  let watermark = 0;
  const waiting = new Set<number>();

  function advance(): void {
    let position = positions[first];
    while (position !== undefined && !waiting.has(position)) {
      watermark = position;
      first += 1;
      position = positions[first];
    }
    if (first < COMPACT_AFTER) return;
    positions = positions.slice(first);
    first = 0;
  }

  return {
    deliver(position) {
      positions.push(position);
      waiting.add(position);
    },
    ack(position) {
      if (waiting.delete(position)) advance();
    },
    get watermark() {
      return watermark;
    },
    get unacknowledged() {
      return waiting.size;
    },
    get span() {
      return positions.length - first;
    },
  };
}
