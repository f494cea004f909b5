import { NEVER, type Observable } from 'rxjs';
import type { Check } from '../io/http/health.ts';
import type { Metric } from '../io/metrics/metrics.ts';

/**
 * What every program is made of. What a part needs comes in as one record of named options, of which it changes nothing;
 * what it gives is this, and what others use it for besides.
 */
export interface Part {
  /** As a sentence begins with it: `discovery`, `the HTTP server`. */
  readonly name: string;
  /** Errors when the part has failed for good; never completes. */
  readonly failed$: Observable<never>;
  /** What it must do for the program to be ready. */
  readonly checks: readonly Check[];
  /** What it counts. */
  readonly metrics: readonly Metric[];
  /** How far it is, for whoever watches. */
  progress?(): object;
  /** Gives back all that the part holds. Idempotent. */
  stop(): Promise<void>;
}

/** A part that cannot fail by itself, has nothing to check and counts nothing, but for what is given. */
export function partOf(name: string, given: Partial<Omit<Part, 'name'>> = {}): Part {
  const { failed$ = NEVER, checks = [], metrics = [], stop = async () => {} } = given;
  return { name, failed$, checks, metrics, stop: once(stop) };
}

/** Does it once, however often it is asked for. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}
