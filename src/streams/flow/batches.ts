import { Observable, type OperatorFunction, type SchedulerLike, type Subscription } from 'rxjs';

export interface BatchesOptions {
  /** A batch of this many is emitted at once. */
  readonly size: number;
  /** A smaller batch is emitted this long after its first item. */
  readonly waitMs: number;
  readonly scheduler: SchedulerLike;
}

/**
 * Groups items into arrays of at most `size`, none of which waits longer than `waitMs`. Unlike `bufferTime` it has no
 * timer while nothing waits, and never emits an empty array.
 *
 * When the source completes, what waits is emitted first; an error is passed on at once and drops it.
 */
export function batches<T>({ size, waitMs, scheduler }: BatchesOptions): OperatorFunction<T, T[]> {
  return (source) =>
    new Observable<T[]>((subscriber) => {
      let waiting: T[] = [];
      let timer: Subscription | undefined;

      const emit = () => {
        timer?.unsubscribe();
        const batch = waiting;
        waiting = [];
        if (batch.length > 0) subscriber.next(batch);
      };

      subscriber.add(() => timer?.unsubscribe());
      subscriber.add(
        source.subscribe({
          next: (item) => {
            waiting.push(item);
            if (waiting.length >= size) emit();
            else if (waiting.length === 1) timer = scheduler.schedule(emit, waitMs);
          },
          error: (error) => subscriber.error(error),
          complete: () => {
            emit();
            subscriber.complete();
          },
        }),
      );
    });
}
