/** The user does not want to wait. */
const EXIT_FORCED = 130;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The signals that end the program. */
export interface StopSignals {
  /** Resolves with the name of the first signal. The second ends the process at once. */
  readonly first: Promise<string>;
  release(): void;
}

/**
 * Listens until released, not just for the first signal: the library that gives the cursor back ends the process by
 * itself when nobody else listens. Forcing is safe, because everything acknowledged is on disk.
 */
export function listenForSignals(): StopSignals {
  const { promise: first, resolve } = Promise.withResolvers<string>();
  let heard = 0;
  const onSignal = (signal: string) => {
    heard++;
    if (heard === 1) return resolve(signal);
    process.stderr.write('valtrack: forced to stop; the next start goes on where this one was cut off\n');
    process.exit(EXIT_FORCED);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    first,
    release() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
