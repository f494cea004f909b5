import { catchError, concatAll, concatMap, defer, map, type OperatorFunction, of, type SchedulerLike } from 'rxjs';
import { type Failure, failure } from '../consensus/failure.ts';
import { batches } from './flow/batches.ts';
import type { EventLog, LogEntry } from './ports/event-log.ts';

export interface Recordable {
  readonly entries: readonly LogEntry[];
}

export interface Recorded<T> {
  readonly item: T;
  /** `null` when every entry is durable. */
  readonly failure: Failure | null;
}

export interface RecordOptions {
  readonly batchMs: number;
  readonly batchSize: number;
  readonly scheduler: SchedulerLike;
}

/**
 * Makes events durable: items are gathered for a moment and appended together, one append at a time, and come out when
 * their entries are on disk. A log that refuses turns its batch into failures. What waits is bounded by the slots that
 * the items hold.
 *
 * Completes after the last batch of a completed source.
 */
export function record<T extends Recordable>(
  log: Pick<EventLog, 'append'>,
  { batchMs, batchSize, scheduler }: RecordOptions,
): OperatorFunction<T, Recorded<T>> {
  const append = (items: readonly T[]) => {
    const entries = items.flatMap((item) => item.entries);
    return defer(() => (entries.length === 0 ? of(undefined) : log.append(entries))).pipe(
      map(() => null),
      catchError((error: unknown) =>
        of(failure('record', 'resource_limited', error instanceof Error ? error.message : String(error))),
      ),
      map((outcome) => items.map((item) => ({ item, failure: outcome }))),
    );
  };
  return (source) =>
    source.pipe(batches({ size: batchSize, waitMs: batchMs, scheduler }), concatMap(append), concatAll());
}
