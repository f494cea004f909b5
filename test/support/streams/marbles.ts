import { type RunHelpers, TestScheduler } from 'rxjs/testing';
import { expect } from 'vitest';

export type Marbles = RunHelpers & { readonly scheduler: TestScheduler };

/** Runs a marble test in virtual time: one character is one millisecond, and the scheduler's clock begins at 0. */
export function marbles(run: (helpers: Marbles) => void): void {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
  scheduler.run((helpers) => run({ ...helpers, scheduler }));
}
