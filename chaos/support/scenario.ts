import type { Random } from '../../src/devnet/random.ts';

/** What a scenario is given. */
export interface ChaosContext {
  /** A folder of its own. It stays when the scenario fails. */
  readonly dir: string;
  /** Every choice of the scenario comes from here, so that a seed repeats it: numbers of their own for each purpose. */
  random(purpose: string): Random;
  readonly seed: number;
  /** The form for CI. */
  readonly short: boolean;
  /** Minutes of a soak. */
  readonly minutes: number;
  /** Whether to write the result into `docs/`. */
  readonly write: boolean;
  /** Tells the reader how far it is. */
  say(text: string): void;
}

export interface Outcome {
  /** What was done, in a few words. */
  readonly did: string;
  /** In the order they are printed. */
  readonly figures: Readonly<Record<string, number | string>>;
  /** What is not as it should be, in words; empty when all is well. */
  readonly problems: readonly string[];
  /** This machine does not allow it: nothing was done, and nothing is proven. */
  readonly isImpossible?: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** Only when it is named. */
  readonly onlyWhenNamed?: boolean;
  run(context: ChaosContext): Promise<Outcome>;
}

/** What one run of one scenario came to, as `--json` prints it. */
export interface Report extends Outcome {
  readonly scenario: string;
  readonly seed: number;
  readonly seconds: number;
  readonly ok: boolean;
}
