import { timer } from 'rxjs';

/** The user does not want to wait. */
const EXIT_FORCED = 130;
/**
 * One Ctrl-C may come twice, from the terminal and from a program such as npm that passes on what it got from there too;
 * nobody's fingers are so fast.
 */
const SAME_MS = 100;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The signals that end the program. */
export interface StopSignals {
  /** Resolves with the name of the first signal. Another one ends the process at once. */
  readonly first: Promise<string>;
  release(): void;
}

/**
 * Listens until released, not just for the first signal: the library that gives the cursor back ends the process by
 * itself when nobody else listens. Forcing is safe, because everything acknowledged is on disk.
 */
export function listenForSignals(): StopSignals {
  const { promise: first, resolve } = Promise.withResolvers<string>();
  let heard = false;
  let forces = false;
  const onSignal = (signal: string) => {
    if (!heard) {
      heard = true;
      resolve(signal);
      // The immediate lets signals through that came in time and had to wait for a busy event loop.
      timer(SAME_MS).subscribe(() => setImmediate(() => (forces = true)));
    }
    if (!forces) return;
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
