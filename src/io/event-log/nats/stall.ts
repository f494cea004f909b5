/** What one look at a durable found. */
export interface DurableLook {
  /** Messages that have never been handed out. */
  readonly waits: number;
  /** Messages that were handed out, to whomever, and have no acknowledgement. */
  readonly unacknowledged: number;
  /** Stream sequence up to which everything is acknowledged. */
  readonly ackFloor: number;
  /** Requests for messages that the server has. */
  readonly asked: number;
}

/** What the reader knows of itself at that time. */
export interface ReaderLook {
  /** Messages that have come so far. */
  readonly received: number;
  /** Those of them that are not acknowledged yet. */
  readonly inHand: number;
  readonly maxInFlight: number;
}

/** `unasked`: messages wait and the server has lost our request. `stuck`: it has requests and gives nothing, for longer than it may. */
export type Stall = 'none' | 'unasked' | 'stuck';

/** A message may come between two looks; not between three. */
const UNASKED_LOOKS = 2;
/** Whatever was handed out to somebody who is gone has come again by then. */
const STUCK_ACK_WAITS = 2;
/** Each time it is still stuck it gets twice as long, up to so many times as long: what was done about it has not helped. */
const MAX_PATIENCE = 64;

/**
 * Tells from looks at a durable, taken every `lookMs`, whether it still gives what it has. A server may have a request
 * and messages and yet give none: nats-server 2.9, killed, keeps in its durable messages that the stream has removed,
 * tries one of these for each thing that happens, and tries them all again after each ack wait. Its ack floor gives it
 * away: it stands still although nothing that is owed is in our hands.
 */
export function stallWatch({ ackWaitMs, lookMs }: { readonly ackWaitMs: number; readonly lookMs: number }) {
  const stuckLooks = Math.ceil((STUCK_ACK_WAITS * ackWaitMs) / lookMs);
  let last = { received: -1, ackFloor: -1 };
  let unasked = 0;
  let stuck = 0;
  let patience = 1;

  return (durable: DurableLook, reader: ReaderLook): Stall => {
    const owes = durable.waits > 0 || durable.unacknowledged > reader.inHand;
    const isUnasked = durable.waits > 0 && durable.asked === 0 && reader.received === last.received;
    const isStuck = owes && reader.inHand < reader.maxInFlight && durable.ackFloor === last.ackFloor;
    unasked = isUnasked ? unasked + 1 : 0;
    stuck = isStuck ? stuck + 1 : 0;
    if (!owes) patience = 1;
    last = { received: reader.received, ackFloor: durable.ackFloor };
    if (stuck >= stuckLooks * patience) {
      stuck = 0;
      patience = Math.min(2 * patience, MAX_PATIENCE);
      return 'stuck';
    }
    if (unasked < UNASKED_LOOKS) return 'none';
    unasked = 0;
    return 'unasked';
  };
}
