import { connect, filter, map, merge, type OperatorFunction } from 'rxjs';
import type { Stage, VisitFailure, VisitOutcome } from '../visit.ts';

/**
 * Puts a stage behind another: visits that succeeded so far go through it, failed ones pass by.
 *
 * Completes when the stage has answered the last visit of a completed source.
 */
export function through<In, Out>(stage: Stage<In, Out>): OperatorFunction<VisitOutcome<In>, VisitOutcome<Out>> {
  return connect((outcomes$) =>
    merge(
      stage(
        outcomes$.pipe(
          filter((outcome): outcome is { ok: true; value: In } => outcome.ok),
          map((outcome) => outcome.value),
        ),
      ),
      outcomes$.pipe(filter((outcome): outcome is { ok: false; value: VisitFailure } => !outcome.ok)),
    ),
  );
}
