/** This file is loaded before all others, so it imports nothing. */

/**
 * With the numbers that a shell adds to 128 for the exit code. SIGHUP is the terminal that was closed; Node lets nobody
 * ignore it, `nohup` neither.
 */
const NUMBERS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
export type StopSignal = keyof typeof NUMBERS;
export const STOP_SIGNALS = Object.keys(NUMBERS) as StopSignal[];
const EXIT_BY_SIGNAL = 128;

/**
 * One Ctrl-C may come twice, from the terminal and from a program such as npm that passes on what it got from there too;
 * nobody's fingers are so fast.
 */
export const SAME_SIGNAL_MS = 100;

/** Ends the process at once, as a shell expects of one that a signal has ended. */
export function exitBySignal(signal: StopSignal): never {
  process.exit(EXIT_BY_SIGNAL + NUMBERS[signal]);
}

/**
 * Keeps a signal that comes while the program is still being loaded, which takes seconds on a busy machine. A second one
 * ends the process at once. Returns what gives the signal to whoever listens by then, or else lets it end the process.
 */
export function holdSignals(): () => void {
  let held: { readonly signal: StopSignal; readonly atMs: number } | null = null;
  const onSignal = (signal: StopSignal) => {
    if (held !== null && performance.now() - held.atMs > SAME_SIGNAL_MS) exitBySignal(signal);
    held ??= { signal, atMs: performance.now() };
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  const release = () => {
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
    // Who has heard it already takes it for the same one.
    if (held !== null) process.kill(process.pid, held.signal);
  };
  // Modules are loaded without a turn of the event loop, and a signal is told in one.
  return () => setImmediate(release);
}
