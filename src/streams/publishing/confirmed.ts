import type { StreamState } from '../ports/spool.ts';
import type { StreamMemory } from '../ports/stream-memory.ts';
import { createReadMarks } from './read-marks.ts';

/**
 * What the stream has confirmed in one session: whether that is certain yet, and how far it has been read. Positions are
 * of the spool, sequences of the stream.
 */
export interface Confirmed {
  /** The stream has everything up to a position, with a sequence of at most this. */
  add(position: number, sequence: number, nowMs: number): void;
  /** The highest sequence that the stream is known to have given out. */
  readonly highest: number;
  /** Takes for certain, and remembers, what was confirmed no later than this. */
  settle(untilMs: number, readers: StreamState['readers']): Promise<void>;
  /** The certain position up to which everything has been read, when `firstSequence` is the oldest unread one; 0 when nothing new. */
  readBefore(firstSequence: number): number;
  /** Whether something is confirmed that was not read yet, as far as is known. */
  readonly isUnread: boolean;
}

export interface ConfirmedOptions {
  readonly memory: Pick<StreamMemory, 'save'>;
  readonly stream: Pick<StreamState, 'incarnation' | 'lastSequence'>;
  /** Up to here everything was certain when the session began. */
  readonly settled: number;
  /** Up to here everything had been read by then. */
  readonly read: number;
}

interface Mark {
  readonly position: number;
  readonly sequence: number;
  readonly atMs: number;
}

export function createConfirmed({ memory, stream, settled, read }: ConfirmedOptions): Confirmed {
  const { incarnation, lastSequence } = stream;
  const marks = createReadMarks();
  // Which sequences were given out in an earlier session is forgotten, but none was beyond this one.
  if (read < settled) marks.add(settled, lastSequence);
  let unsettled: Mark[] = [];
  let highest = lastSequence;

  return {
    add(position, sequence, nowMs) {
      highest = Math.max(highest, sequence);
      unsettled.push({ position, sequence, atMs: nowMs });
    },
    get highest() {
      return highest;
    },
    async settle(untilMs, readers) {
      const ripe = unsettled.filter(({ atMs }) => atMs <= untilMs);
      const last = ripe.at(-1);
      if (last === undefined) return;
      const sequence = Math.max(...ripe.map((mark) => mark.sequence));
      await memory.save({ incarnation, settled: last.position, sequence, readers });
      for (const mark of ripe) marks.add(mark.position, mark.sequence);
      unsettled = unsettled.filter(({ atMs }) => atMs > untilMs);
    },
    readBefore: marks.readBefore,
    get isUnread() {
      return marks.waiting + unsettled.length > 0;
    },
  };
}
