import { timer } from 'rxjs';
import { exitBySignal, SAME_SIGNAL_MS, STOP_SIGNALS, type StopSignal } from './stop-signals.ts';

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
      timer(SAME_SIGNAL_MS).subscribe(() => setImmediate(() => (forces = true)));
    }
    if (!forces) return;
    process.stderr.write('valtrack: forced to stop; the next start goes on where this one was cut off\n');
    exitBySignal(signal);
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  return {
    first,
    release() {
      for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
    },
  };
}
