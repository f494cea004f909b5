import { merge, type Observable } from 'rxjs';
import type { Vitals } from '../io/http/health.ts';
import type { Part } from './part.ts';

/** Parts by the names under which later ones find them. */
export type Parts = Readonly<Record<string, Part>>;

/**
 * Starts a part.
 * @param earlier those that have been started before it
 * @param vitals what all parts of the program tell of themselves, those that are started later too
 */
export type StartPart<Earlier, P extends Part> = (earlier: Earlier, vitals: Vitals) => Promise<P>;

/**
 * A program as a list of parts, not started yet. Each call gives another list, so that whoever imports a program can put a
 * part in, replace one or leave one out, and the program stays as it was.
 *
 * @example
 * const started = await program()
 *   .with('log', () => openLog({ path }))
 *   .with('crawl', ({ log }) => startCrawl({ log }))
 *   .start(stack);
 */
export interface Program<P extends Parts> {
  /** Puts a part at the end of the list or, if there is one of that name, in its place. */
  with<Name extends string, New extends Name extends keyof P ? P[Name] : Part>(
    name: Name,
    start: StartPart<P, New>,
  ): Program<Omit<P, Name> & Record<Name, New>>;
  /** Leaves a part out; those after it that use it find `undefined`. */
  without<Name extends keyof P & string>(name: Name): Program<Omit<P, Name>>;
  /**
   * Starts the parts one after the other. Each stops with the stack, in reverse, also those that were started before one
   * that could not be.
   * @throws what a part's start fails with
   */
  start(stack: AsyncDisposableStack): Promise<StartedProgram<P>>;
}

export interface StartedProgram<P extends Parts> {
  readonly parts: P;
  readonly vitals: Vitals;
  /** Errors when one of the parts has failed for good; never completes. */
  readonly failed$: Observable<never>;
}

type Step = readonly [name: string, start: StartPart<Parts, Part>];

/** A program of no parts. */
export function program(): Program<Record<never, Part>> {
  return programOf([]);
}

function programOf<P extends Parts>(steps: readonly Step[]): Program<P> {
  return {
    with(name, start) {
      const step: Step = [name, start as unknown as StartPart<Parts, Part>];
      const isThere = steps.some(([taken]) => taken === name);
      return programOf(isThere ? steps.map((old) => (old[0] === name ? step : old)) : [...steps, step]);
    },
    without: (name) => programOf(steps.filter(([taken]) => taken !== name)),
    start: (stack) => startAll<P>(steps, stack),
  };
}

async function startAll<P extends Parts>(
  steps: readonly Step[],
  stack: AsyncDisposableStack,
): Promise<StartedProgram<P>> {
  const started: Record<string, Part> = {};
  const vitals: Vitals = {
    checks: () => Object.values(started).flatMap(({ checks }) => checks),
    metrics: () => Object.values(started).flatMap(({ metrics }) => metrics),
  };
  for (const [name, start] of steps) {
    const part = await start(started, vitals);
    stack.defer(() => part.stop());
    started[name] = part;
  }
  return { parts: started as P, vitals, failed$: merge(...Object.values(started).map(({ failed$ }) => failed$)) };
}
