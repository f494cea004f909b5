import { timer } from 'rxjs';

/**
 * With the numbers that a shell adds to 128 for the exit code. SIGHUP is the terminal that was closed; Node lets nobody
 * ignore it, `nohup` neither.
 */
const NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
type StopSignal = keyof typeof NUMBERS;
const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const satisfies StopSignal[];
const EXIT_BY_SIGNAL = 128;
/**
 * One Ctrl-C may come twice, from the terminal and from a program such as npm that passes on what it got from there too;
 * nobody's fingers are so fast.
 */
const SAME_MS = 100;

/** The signals that end the program. */
export interface StopSignals {
  /** Resolves with the name of the first signal. Another one ends the process at once, with 128 and its number. */
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
  const onSignal = (signal: StopSignal) => {
    if (!heard) {
      heard = true;
      resolve(signal);
      // The immediate lets signals through that came in time and had to wait for a busy event loop.
      timer(SAME_MS).subscribe(() => setImmediate(() => (forces = true)));
    }
    if (!forces) return;
    process.stderr.write('valtrack: forced to stop; the next start goes on where this one was cut off\n');
    process.exit(EXIT_BY_SIGNAL + NUMBERS[signal]);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    first,
    release() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
