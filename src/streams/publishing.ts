import {
  defer,
  exhaustMap,
  filter,
  firstValueFrom,
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
  /**
   * What the stream has confirmed so shortly before the connection was lost is published again: a server that is being
   * stopped forgets at once what comes after its readers have been taken away, and confirms it all the same.
   */
  readonly settleMs: number;
  readonly scheduler: SchedulerLike;
  readonly onFailure: (doing: PublishingWork, failure: Parameters<RetryForeverOptions['onFailure']>[0]) => void;
  /** Told each time the stream has taken or told something: that it answers says nothing of whether it takes. */
  readonly onSuccess: (doing: PublishingWork) => void;
  /** Told when everything after a position is published again, because the stream is another one now. */
  readonly onChanged: (change: { readonly from: number; readonly to: number }) => void;
}

export type PublishingWork = 'publish' | 'ask';

export interface StreamMemory {
  load(): Promise<Remembered | null>;
  save(remembered: Remembered): Promise<void>;
}

export interface Remembered {
  readonly incarnation: string;
  /** The position of the spool up to which the stream surely has everything. */
  readonly settled: number;
  /** The highest sequence that the stream gave to any of that. One that has come back with less has lost some of it. */
  readonly sequence: number;
  readonly readers: StreamState['readers'];
}

export interface PublishingProgress {
  /** Entries that the stream has taken since this subscription began. */
  readonly published: number;
}

/**
 * Publishes what waits in the spool, and lets go of it there once it has been read from the stream by everybody, and
 * those readers that say what they have applied have applied it: what a killed server has lost is published again. A
 * stream that was made anew or started again, under way or while this program was away, gets everything again that was not
 * known to be read; readers know the event ids.
 *
 * Emits after each batch. Completes when the spool is closed and the batch in hand is taken; errors only when the spool does.
 */
export function publishing(options: PublishingOptions): Observable<PublishingProgress> {
  const { spool, stream, published, consumed, memory, pollMs, settleMs, scheduler } = options;
  const { onFailure, onSuccess, onChanged } = options;
  const failedAt = (doing: PublishingWork): RetryForeverOptions['onFailure'] => {
    return (failure) => onFailure(doing, failure);
  };
  let count = 0;
  /** The highest sequence given out by the stream as it is now. */
  let highest = 0;
  /** Whether it has come back with less than that, as from an older copy of its files, or was found to lack a message. */
  let hasLost = false;
  /** Up to here entries may have been published before, under their own ids. */
  let attempted: number | null = null;

  /** How often in a row it was behind what is known to be in it. */
  let behind = 0;

  /** The position of what was found lost last, and how long to wait should it be lost again. */
  let lost = { position: 0, waitMs: 0 };

  /** Goes back to where nothing is lost: further if the stream is not the one of before. */
  async function begin(): Promise<Session> {
    const state = await stream.state();
    onSuccess('ask');
    const before = await memory.load();
    const isSame = before?.incarnation === state.incarnation;
    behind = isSame && state.lastSequence < before.sequence ? behind + 1 : 0;
    if (behind > 0 && behind < BEHIND_LOOKS && !hasLost)
      throw new Error('the stream does not have all that it has confirmed');
    const isAnother = !isSame || hasLost || behind > 0 || isRemade(before.readers, state.readers);
    const [read, to] = [spool.cursor(consumed), spool.cursor(published)];
    const settled = isAnother ? read : Math.min(to, Math.max(read, before.settled));
    if (settled < to) await spool.rewind(published, settled);
    const { incarnation, readers } = state;
    await memory.save({ incarnation, settled, sequence: isAnother ? 0 : before.sequence, readers });
    if (isAnother && settled < to && before !== null) onChanged({ from: settled, to });
    // An earlier run may have got a little further than it could note.
    attempted = Math.max(attempted ?? to + 2 * options.batchSize, to);
    highest = state.lastSequence;
    hasLost = false;
    behind = 0;
    return { state, settled };
  }

  function session({ state: { session: name, incarnation, lastSequence, readers }, settled }: Session) {
    const marks = createReadMarks();
    // Which sequences were given out in an earlier session is forgotten, but none was beyond this one.
    if (spool.cursor(consumed) < settled) marks.add(settled, lastSequence);
    let unsettled: Mark[] = [];
    let known = readers;
    let behindNow = 0;
    /** Up to here everything has been read, as the stream has it. */
    let read = 0;
    const done$ = new Subject<void>();

    async function append(batch: readonly Delivery[]): Promise<void> {
      const first = batch[0]?.position ?? 0;
      const last = batch.at(-1)?.position ?? 0;
      const isRepeated = first <= (attempted ?? 0);
      attempted = Math.max(attempted ?? 0, last);
      const sequence = await stream.publish(batch, { session: name, isRepeated });
      onSuccess('publish');
      highest = Math.max(highest, sequence);
      unsettled.push({ position: last, sequence, atMs: scheduler.now() });
      count += batch.length;
    }

    async function look(): Promise<void> {
      // What is published meanwhile may be missing in the answer.
      const [expected, askedMs] = [highest, scheduler.now()];
      const state = await stream.state();
      onSuccess('ask');
      if (state.session !== name) throw new StreamChangedError(`it is ${state.session} now, no longer ${name}`);
      if (isRemade(known, state.readers)) throw new StreamChangedError('a reader was made anew');
      known = state.readers;
      behindNow = state.lastSequence < expected ? behindNow + 1 : 0;
      if (behindNow >= BEHIND_LOOKS) {
        hasLost = true;
        throw new StreamChangedError('the stream has lost its last messages');
      }
      await settleBefore(askedMs - settleMs);
      read = Math.max(read, marks.readBefore(state.firstSequence));
      await letGo();
    }

    /** Lets go of what has been read, as far as it has had its effect. */
    async function letGo(): Promise<void> {
      for (let from = spool.cursor(consumed); from < read; ) {
        const page = await spool.ids(from, read, MAX_ASKED);
        const unapplied = await stream.unapplied(page.map(({ eventId }) => eventId));
        if (unapplied === null) return;
        const missing = page.find(({ eventId }) => unapplied.has(eventId));
        from = missing === undefined ? (page.at(-1)?.position ?? read) : missing.position - 1;
        spool.advance(consumed, from);
        if (missing !== undefined) await lose(missing.position);
      }
    }

    /** What a reader never comes to apply is not published again without a pause. */
    async function lose(position: number): Promise<never> {
      hasLost = true;
      const waitMs = position === lost.position ? lost.waitMs : 0;
      lost = { position, waitMs: Math.min(RETRY.maxLostMs, Math.max(RETRY.minDelayMs, 2 * waitMs)) };
      await firstValueFrom(timer(waitMs, scheduler));
      throw new StreamChangedError('what has left the stream has not been applied');
    }

    async function settleBefore(ms: number): Promise<void> {
      const ripe = unsettled.filter(({ atMs }) => atMs <= ms);
      const last = ripe.at(-1);
      if (last === undefined) return;
      const sequence = Math.max(...ripe.map((mark) => mark.sequence));
      await memory.save({ incarnation, settled: last.position, sequence, readers: known });
      for (const { position, sequence } of ripe) marks.add(position, sequence);
      unsettled = unsettled.filter(({ atMs }) => atMs > ms);
    }

    const published$ = forward({
      ...options,
      from: spool,
      to: { append },
      durable: published,
      onFailure: failedAt('publish'),
      unless: isChange,
    }).pipe(
      map((): PublishingProgress => ({ published: count })),
      tap({ complete: () => done$.next() }),
    );
    const looking$ = interval(pollMs, scheduler).pipe(
      filter(() => marks.waiting + unsettled.length > 0 || spool.cursor(consumed) < read),
      exhaustMap(() =>
        defer(look).pipe(retryForever({ ...RETRY, scheduler, onFailure: failedAt('ask'), unless: isChange })),
      ),
      ignoreElements(),
      takeUntil(done$),
    );
    return merge(looking$, published$);
  }

  return defer(begin).pipe(
    retryForever({ ...RETRY, scheduler, onFailure: failedAt('ask') }),
    switchMap(session),
    retry({ delay: (error: unknown) => (isChange(error) ? of(null) : throwError(() => error)) }),
  );
}

interface Session {
  readonly state: StreamState;
  /** Up to here the stream is known to have kept what it has confirmed. */
  readonly settled: number;
}

interface Mark {
  readonly position: number;
  readonly sequence: number;
  readonly atMs: number;
}

/** Whether one of them was lost, and so has no place in the stream any more. New ones and those that are gone are none. */
function isRemade(before: StreamState['readers'], now: StreamState['readers']): boolean {
  return Object.entries(before).some(([name, mark]) => now[name] !== undefined && now[name] !== mark);
}

/** A cluster's new leader may not know of all messages yet. */
const BEHIND_LOOKS = 3;
const RETRY = { minDelayMs: 250, maxDelayMs: 5_000, maxLostMs: 60_000 } as const;
/** Events that readers are asked about at a time. */
const MAX_ASKED = 1_000;

function isChange(error: unknown): boolean {
  return error instanceof StreamChangedError;
}
