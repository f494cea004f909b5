/** Remembers whether the last attempt at something worked. */
export interface Attempts {
  succeeded(): void;
  failed(error: unknown): void;
  /** Why the last one failed, for people; `null` when it did not. */
  problem(): string | null;
}

/** @param what as a sentence begins with it: `publishing to NATS` */
export function attemptsAt(what: string): Attempts {
  let problem: string | null = null;
  return {
    succeeded() {
      problem = null;
    },
    failed(error) {
      problem = `${what} failed and is tried again: ${error instanceof Error ? error.message : String(error)}`;
    },
    problem: () => problem,
  };
}

/** What is done with NATS, as far as it fails. */
export interface HandOver {
  readonly publish: Attempts;
  readonly ask: Attempts;
  /** Why events do not get to where they are read; `null` when they do. */
  problem(): string | null;
}

export function handOver(): HandOver {
  const [publish, ask] = [attemptsAt('publishing to NATS'), attemptsAt('asking NATS')];
  return { publish, ask, problem: () => publish.problem() ?? ask.problem() };
}
