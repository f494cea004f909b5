import {
  concatMap,
  defer,
  exhaustMap,
  filter,
  ignoreElements,
  interval,
  map,
  merge,
  type Observable,
  of,
  retry,
  type SchedulerLike,
  Subject,
  switchMap,
  takeUntil,
  tap,
  throwError,
  timer,
} from 'rxjs';
import { type RetryForeverOptions, retryForever } from './flow/retry-forever.ts';
import { forward } from './forwarder.ts';
import type { Delivery } from './ports/event-log.ts';
import { type PublishedStream, type Spool, StreamChangedError, type StreamState } from './ports/spool.ts';
import { createReadMarks } from './read-marks.ts';

export interface PublishingOptions {
  readonly spool: Spool;
  readonly stream: PublishedStream;
  /** The durable of the spool whose acknowledgements say what the stream has. */
  readonly published: string;
  /** The durable whose acknowledgements say what has been read from the stream. */
  readonly consumed: string;
  /** Remembers over restarts which stream `published` is about. */
  readonly memory: StreamMemory;
  readonly batchSize: number;
  readonly batchMs: number;
  /** How often the stream is asked what has been read, while something waits for that. */
  readonly pollMs: number;
  readonly scheduler: SchedulerLike;
  readonly onFailure: RetryForeverOptions['onFailure'];
  /** Told each time the stream has taken or told something. */
  readonly onSuccess: () => void;
  /** Told when everything after a position is published again, because the stream is another one now. */
  readonly onChanged: (change: { readonly from: number; readonly to: number }) => void;
}

export interface StreamMemory {
  load(): Promise<string | null>;
  save(incarnation: string): Promise<void>;
}

export interface PublishingProgress {
  /** Entries that the stream has taken since this subscription began. */
  readonly published: number;
}

/**
 * Publishes what waits in the spool, and lets go of it there once it has been read from the stream by everybody. A
 * stream that was made anew, under way or while this program was away, gets everything again that was not known to be
 * read; readers know the event ids.
 *
 * Emits after each batch. Completes when the spool is closed and the batch in hand is taken; errors only when the spool does.
 */
export function publishing(options: PublishingOptions): Observable<PublishingProgress> {
  const { spool, stream, published, consumed, memory, pollMs, scheduler, onFailure, onSuccess, onChanged } = options;
  let count = 0;
  /** The highest sequence given out by the stream as it is now. */
  let highest = 0;
  /** Whether it has come back with less than that, as from an older copy of its files. */
  let hasLost = false;

  async function look(): Promise<Sight> {
    const state = await stream.state();
    onSuccess();
    return { state, before: await memory.load() };
  }

  const isAnother = ({ state, before }: Sight) => before !== state.incarnation || hasLost;

  /** A stream that has lost messages still knows their ids, and would not take them again at once. */
  function waitMs(sight: Sight): number {
    const { state, before } = sight;
    const isSameStream = before?.split(' ')[0] === state.id;
    return isSameStream && isAnother(sight) ? state.rememberIdsMs + FORGET_MARGIN_MS : 0;
  }

  /** Goes back to where nothing is lost if the stream is not the one of before. */
  async function settle(sight: Sight): Promise<StreamState> {
    const { state, before } = sight;
    if (isAnother(sight)) {
      const [from, to] = [spool.cursor(consumed), spool.cursor(published)];
      if (from < to) await spool.rewind(published, from);
      await memory.save(state.incarnation);
      if (from < to && before !== null) onChanged({ from, to });
    }
    highest = state.lastSequence;
    hasLost = false;
    return state;
  }

  function session({ incarnation, lastSequence }: StreamState): Observable<PublishingProgress> {
    const marks = createReadMarks();
    // Which sequences were given out in an earlier session is forgotten, but none was beyond this one.
    if (spool.cursor(consumed) < spool.cursor(published)) marks.add(spool.cursor(published), lastSequence);
    const done$ = new Subject<void>();
    let behind = 0;

    async function append(batch: readonly Delivery[]): Promise<void> {
      const sequence = await stream.publish(batch, incarnation);
      onSuccess();
      highest = Math.max(highest, sequence);
      marks.add(batch.at(-1)?.position ?? 0, sequence);
      count += batch.length;
    }

    async function lookOn(): Promise<void> {
      // What is published meanwhile may be missing in the answer.
      const expected = highest;
      const state = await stream.state();
      onSuccess();
      if (state.incarnation !== incarnation) throw new StreamChangedError(`the stream is ${state.incarnation} now`);
      behind = state.lastSequence < expected ? behind + 1 : 0;
      if (behind >= BEHIND_LOOKS) {
        hasLost = true;
        throw new StreamChangedError('the stream has lost its last messages');
      }
      const position = marks.readBefore(state.firstSequence);
      if (position > 0) spool.advance(consumed, position);
    }

    const published$ = forward({ ...options, from: spool, to: { append }, durable: published, unless: isChange }).pipe(
      map(() => ({ published: count })),
      tap({ complete: () => done$.next() }),
    );
    const looking$ = interval(pollMs, scheduler).pipe(
      filter(() => marks.waiting > 0),
      exhaustMap(() => defer(lookOn).pipe(retryForever({ ...RETRY, scheduler, onFailure, unless: isChange }))),
      ignoreElements(),
      takeUntil(done$),
    );
    return merge(looking$, published$);
  }

  return defer(look).pipe(
    concatMap((sight) => timer(waitMs(sight), scheduler).pipe(concatMap(() => settle(sight)))),
    retryForever({ ...RETRY, scheduler, onFailure }),
    switchMap(session),
    retry({ delay: (error: unknown) => (isChange(error) ? of(null) : throwError(() => error)) }),
  );
}

interface Sight {
  readonly state: StreamState;
  /** The incarnation that was published to before; `null` at the very first time. */
  readonly before: string | null;
}

/** A cluster's new leader may not know of all messages yet. */
const BEHIND_LOOKS = 3;
/** The server forgets by a timer of its own. */
const FORGET_MARGIN_MS = 1_000;
const RETRY = { minDelayMs: 250, maxDelayMs: 5_000 } as const;

function isChange(error: unknown): boolean {
  return error instanceof StreamChangedError;
}
