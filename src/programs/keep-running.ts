import {
  asyncScheduler,
  filter,
  firstValueFrom,
  ignoreElements,
  mergeWith,
  NEVER,
  type Observable,
  ReplaySubject,
  type SchedulerLike,
} from 'rxjs';
import type { Logger } from '../io/logging/logger.ts';
import { counter, type Metric } from '../io/metrics/metrics.ts';
import { type PartState, type Part as Restartable, type RestartPolicy, supervise } from '../streams/flow/supervise.ts';
import type { Part } from './part.ts';

/** The same for all parts: documented in `docs/operations.md`. */
export const RESTARTS: RestartPolicy = {
  minDelayMs: 1_000,
  maxDelayMs: 60_000,
  wellAfterMs: 300_000,
  maxFailures: 5,
  withinMs: 600_000,
  stopMs: 10_000,
};

/** A part that somebody sees to: it tells of its restarts, and is a reason to be not ready while it is down. */
export interface Kept<P> extends Part {
  /** How often it has failed and was to be started again. */
  readonly restarts: number;
  /** The part as it runs now; `null` while it is down. */
  readonly current: P | null;
  /** That, or as it ran last. */
  readonly last: P;
  /** What `current` is, now and at each change. */
  readonly current$: Observable<P | null>;
  /** Why the part does not run at the moment, for people; `null` when it does. */
  problem(): string | null;
}

/** How often which part was started again. */
export type Restarts = Pick<Kept<unknown>, 'name' | 'restarts'>;

/** The same as a metric. */
export function restartsOf({ name, restarts }: Pick<Kept<unknown>, 'name'> & { restarts: () => number }): Metric {
  return counter('part_restarts_total', 'How often a part has failed and was to be started again', ['part'], (set) =>
    set({ part: name.replace(/^the /, '') }, restarts()),
  );
}

export interface KeepOptions {
  readonly logger: Logger;
  readonly policy?: RestartPolicy;
  readonly scheduler?: SchedulerLike;
}

/**
 * Starts a part and keeps it running, as `supervise` does; each failure is logged.
 * @param name as a sentence begins with it: `discovery`, `the HTTP server`
 * @throws what the first start fails with
 */
export async function keepRunning<P extends Restartable>(
  name: string,
  start: () => Promise<P>,
  { logger, policy = RESTARTS, scheduler = asyncScheduler }: KeepOptions,
): Promise<Kept<P>> {
  const stop$ = new ReplaySubject<void>(1);
  const changes$ = new ReplaySubject<P | null>(1);
  const ended = Promise.withResolvers<void>();
  let current: P | null = null;
  let last: P | null = null;
  let problem: string | null = null;
  let restarts = 0;

  function become(state: PartState<P>): void {
    if (state.type === 'waiting') {
      const { error, delayMs } = state;
      restarts++;
      logger.error({ err: error, delayMs }, `${name} has failed and is started again`);
      problem = `${name} has failed and is started again: ${error instanceof Error ? error.message : String(error)}`;
      current = null;
    } else {
      if (problem !== null) logger.info(`${name} runs again`);
      problem = null;
      current = state.part;
      last = current;
    }
    changes$.next(current);
  }

  supervise(name, start, stop$, policy, scheduler).subscribe({
    next: become,
    error: (error: unknown) => {
      current = null;
      problem = error instanceof Error ? error.message : String(error);
      changes$.error(error);
      ended.resolve();
    },
    complete: () => {
      current = null;
      changes$.complete();
      ended.resolve();
    },
  });
  const first = await firstValueFrom(changes$.pipe(filter((part) => part !== null)));

  return {
    name,
    get restarts() {
      return restarts;
    },
    get last() {
      return last ?? first;
    },
    get current() {
      return current;
    },
    current$: changes$.asObservable(),
    failed$: changes$.pipe(ignoreElements(), mergeWith(NEVER)),
    problem: () => problem,
    checks: [{ name, reason: async () => problem }],
    metrics: [restartsOf({ name, restarts: () => restarts })],
    async stop() {
      stop$.next();
      await ended.promise;
    },
  };
}
