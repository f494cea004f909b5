import {
  BehaviorSubject,
  catchError,
  concatAll,
  concatMap,
  defer,
  from,
  map,
  type Observable,
  type OperatorFunction,
  of,
  ReplaySubject,
  type SchedulerLike,
  takeUntil,
  tap,
  throwError,
} from 'rxjs';
import { type Failure, failure } from '../consensus/failure.ts';
import { batches } from './flow/batches.ts';
import { retryForever } from './flow/retry-forever.ts';
import { type EventLog, EventLogUsageError, type LogEntry } from './ports/event-log.ts';

export interface Recordable {
  readonly entries: readonly LogEntry[];
}

export interface Recorded<T> {
  readonly item: T;
  /** `null` when every entry is durable. */
  readonly failure: Failure | null;
}

/** Where what is met is recorded. */
export interface RecordPorts {
  readonly log: Pick<EventLog, 'append'>;
  /** Whether the log has room: while it has not, nobody is asked, visited or let in. Always, if not given. */
  readonly isOpen$?: Observable<boolean>;
}

export interface RecordOptions {
  readonly batchMs: number;
  readonly batchSize: number;
  readonly scheduler: SchedulerLike;
  /** For whoever wants to end it in good order. */
  readonly recording?: Recording;
}

/** What the `record` stages of a pipeline have in hand. */
export interface Recording {
  /** Entries that are not durable yet. */
  readonly held$: BehaviorSubject<number>;
  /** The stages take nothing more once it has emitted. */
  readonly ending$: ReplaySubject<void>;
}

export function createRecording(): Recording {
  return { held$: new BehaviorSubject(0), ending$: new ReplaySubject(1) };
}

/** Short, because the crawl stands still meanwhile. */
const RETRY = { minDelayMs: 250, maxDelayMs: 5_000 } as const;

/**
 * Makes events durable: items are gathered for a moment and appended together, one append at a time, and come out when
 * their entries are on disk. While the log takes nothing, because it or the disk is full, they are held and tried again:
 * what has been observed is not given up before the stage is stopped. An item that the log can never take becomes a
 * failure, it alone. What waits is bounded by the slots that the items hold; who appends knows of each refusal, so none
 * is told here.
 *
 * Completes after the last batch of a source that is completed, or ended.
 */
export function record<T extends Recordable>(
  log: Pick<EventLog, 'append'>,
  { batchMs, batchSize, scheduler, recording = createRecording() }: RecordOptions,
): OperatorFunction<T, Recorded<T>> {
  const append = (items: readonly T[]): Observable<readonly Recorded<T>[]> => {
    const entries = items.flatMap((item) => item.entries);
    return defer(() => (entries.length === 0 ? of(undefined) : log.append(entries))).pipe(
      retryForever({ ...RETRY, scheduler, onFailure: () => undefined, unless: isUseless }),
      map(() => items.map((item) => ({ item, failure: null }))),
      catchError((error: unknown) => (isUseless(error) ? refused(items, error) : throwError(() => error))),
    );
  };

  /** One that cannot be taken must not cost the others of its batch. */
  function refused(items: readonly T[], error: Error): Observable<readonly Recorded<T>[]> {
    if (items.length > 1) return from(items).pipe(concatMap((item) => append([item])));
    return of(items.map((item) => ({ item, failure: failure('record', 'resource_limited', error.message) })));
  }

  const { held$, ending$ } = recording;
  return (source) =>
    source.pipe(
      takeUntil(ending$),
      tap(({ entries }) => held$.next(held$.value + entries.length)),
      batches({ size: batchSize, waitMs: batchMs, scheduler }),
      concatMap(append),
      concatAll(),
      tap(({ item: { entries } }) => held$.next(held$.value - entries.length)),
    );
}

function isUseless(error: unknown): error is Error {
  return error instanceof EventLogUsageError;
}
