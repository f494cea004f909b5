import {
  defer,
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
} from 'rxjs';
import { type RetryForeverOptions, retryForever } from './flow/retry-forever.ts';
import type { PublishedStream, Spool } from './ports/spool.ts';
import type { StreamMemory } from './ports/stream-memory.ts';
import { createConfirmed } from './publishing/confirmed.ts';
import { draining } from './publishing/draining.ts';
import { looking, RETRY } from './publishing/looking.ts';
import { createLosses } from './publishing/losses.ts';
import { createPublisher } from './publishing/publisher.ts';
import { createReleasing } from './publishing/releasing.ts';
import { createResuming, type Resumed } from './publishing/resuming.ts';
import { createChangeWatch, isChange } from './publishing/stream-change.ts';

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
  const { spool, stream, consumed, memory, scheduler, onFailure, onSuccess } = options;
  const failedAt = (doing: PublishingWork): RetryForeverOptions['onFailure'] => {
    return (failure) => onFailure(doing, failure);
  };
  const onAnswer = () => onSuccess('ask');
  const losses = createLosses();
  // An earlier run may have got a little further than it could note.
  const publisher = createPublisher(stream, 2 * options.batchSize, () => onSuccess('publish'));
  const resume = createResuming({ ...options, publisher, losses, onAnswer });

  function session({ state, settled }: Resumed): Observable<number> {
    const confirmed = createConfirmed({ memory, stream: state, settled, read: spool.cursor(consumed) });
    const releasing = createReleasing({ spool, consumed, stream, losses, scheduler });
    const watch = createChangeWatch(state, losses);
    const drained$ = draining({
      ...options,
      session: state.session,
      publisher,
      confirmed,
      onFailure: failedAt('publish'),
    });
    const looking$ = looking({ ...options, confirmed, watch, releasing, onAnswer, onFailure: failedAt('ask') });
    // What is not read by the end of the drain is let go of after the next start.
    const done$ = new Subject<void>();
    return merge(looking$.pipe(takeUntil(done$)), drained$.pipe(tap({ complete: () => done$.next() })));
  }

  return defer(resume).pipe(
    retryForever({ ...RETRY, scheduler, onFailure: failedAt('ask') }),
    switchMap(session),
    retry({ delay: (error: unknown) => (isChange(error) ? of(null) : throwError(() => error)) }),
    map((published) => ({ published })),
  );
}
