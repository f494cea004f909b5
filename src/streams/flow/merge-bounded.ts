import { defer, finalize, mergeMap, Observable, type ObservableInput, type OperatorFunction, Subject } from 'rxjs';

/** How full a hand-over is. One object per stage, read by the progress display and the metrics. */
export interface Depth {
  active: number;
  waiting: number;
  /** Items turned away since the start because the hand-over was full. */
  overflowed: number;
}

export function createDepth(): Depth {
  return { active: 0, waiting: 0, overflowed: 0 };
}

export interface MergeBoundedOptions<In, Out> {
  /** This many projections run at a time. */
  readonly concurrency: number;
  /** This many items wait for their turn; mergeMap alone would let any number wait. */
  readonly maxWaiting: number;
  /** What an item becomes that finds the hand-over full. */
  readonly onOverflow: (item: In) => Out;
  readonly depth?: Depth;
}

/**
 * `mergeMap` with a bound on what waits as well as on what runs. Use it wherever a stage does something that takes time.
 *
 * Completes when the source has completed and all projections have; an error of the source or of a projection is
 * passed on at once, so projections that serve one peer turn their errors into values first.
 */
export function mergeBounded<In, Out>(
  project: (item: In) => ObservableInput<Out>,
  { concurrency, maxWaiting, onOverflow, depth = createDepth() }: MergeBoundedOptions<In, Out>,
): OperatorFunction<In, Out> {
  return (source) =>
    new Observable<Out>((subscriber) => {
      const admitted = new Subject<In>();
      let inside = 0;

      const run = (item: In) =>
        defer(() => {
          depth.waiting--;
          depth.active++;
          return project(item);
        }).pipe(
          finalize(() => {
            depth.active--;
            inside--;
          }),
        );

      subscriber.add(() => {
        depth.waiting = 0;
      });
      subscriber.add(admitted.pipe(mergeMap(run, concurrency)).subscribe(subscriber));
      subscriber.add(
        source.subscribe({
          next: (item) => {
            if (inside >= concurrency + maxWaiting) {
              depth.overflowed++;
              subscriber.next(onOverflow(item));
              return;
            }
            inside++;
            depth.waiting++;
            admitted.next(item);
          },
          error: (error) => subscriber.error(error),
          complete: () => admitted.complete(),
        }),
      );
    });
}
