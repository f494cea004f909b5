import type { PublishedStream, Spool, StreamState } from '../ports/spool.ts';
import type { Remembered, StreamMemory } from '../ports/stream-memory.ts';
import type { Losses } from './losses.ts';
import type { Publisher } from './publisher.ts';
import { BEHIND_LOOKS, isRemade } from './stream-change.ts';

/** Where publishing goes on, and with which stream. */
export interface Resumed {
  readonly state: StreamState;
  /** Up to here the stream is known to have kept what it has confirmed. */
  readonly settled: number;
}

export interface ResumingOptions {
  readonly spool: Pick<Spool, 'cursor' | 'rewind'>;
  readonly stream: Pick<PublishedStream, 'state'>;
  readonly published: string;
  readonly consumed: string;
  readonly memory: StreamMemory;
  readonly publisher: Pick<Publisher, 'resumed'>;
  readonly losses: Losses;
  /** Told when the stream has said how things stand. */
  readonly onAnswer: () => void;
  /** Told when everything after a position is published again, because the stream is another one now. */
  readonly onChanged: (change: { readonly from: number; readonly to: number }) => void;
}

/** Whether a stream that was asked so often in a row, and had less than it has confirmed, is believed to have lost it. */
type Lag = 'none' | 'maybe' | 'lost';

/**
 * Goes back to where nothing is lost: further if the stream is not the one of before. Rejects when that cannot be said
 * yet; it may then be called again.
 */
export function createResuming(options: ResumingOptions): () => Promise<Resumed> {
  const { spool, stream, published, consumed, memory, publisher, losses, onAnswer, onChanged } = options;
  /** How often in a row the stream was behind what is known to be in it. */
  let behind = 0;

  function lagOf(state: StreamState, before: Remembered | null): Lag {
    const isBehind = before?.incarnation === state.incarnation && state.lastSequence < before.sequence;
    behind = isBehind ? behind + 1 : 0;
    if (behind === 0) return 'none';
    return behind < BEHIND_LOOKS && !losses.isAny ? 'maybe' : 'lost';
  }

  return async () => {
    const state = await stream.state();
    onAnswer();
    const before = await memory.load();
    const lag = lagOf(state, before);
    if (lag === 'maybe') throw new Error('the stream does not have all that it has confirmed');
    const kept = losses.isAny || lag === 'lost' ? null : sameStream(before, state);
    const [read, to] = [spool.cursor(consumed), spool.cursor(published)];
    const settled = kept === null ? read : Math.min(to, Math.max(read, kept.settled));
    if (settled < to) await spool.rewind(published, settled);
    const { incarnation, readers } = state;
    await memory.save({ incarnation, settled, sequence: kept?.sequence ?? 0, readers });
    if (kept === null && settled < to && before !== null) onChanged({ from: settled, to });
    publisher.resumed(to);
    losses.mended();
    behind = 0;
    return { state, settled };
  };
}

/** What is remembered, if it is of this stream and no reader of it was made anew. */
function sameStream(before: Remembered | null, state: StreamState): Remembered | null {
  if (before === null || before.incarnation !== state.incarnation) return null;
  return isRemade(before.readers, state.readers) ? null : before;
}
