import { firstValueFrom, from, map, NEVER, type Observable, race, timer } from 'rxjs';
import { type Faults, listenForFaults } from '../programs/faults.ts';
import type { Options } from './options.ts';
import { openScreen, type Screen } from './screen.ts';
import { listenForSignals } from './stopping.ts';

/** What a command has while it starts and runs. */
export interface Session {
  readonly screen: Screen;
  /** Everything the command opens; closed in reverse when it ends, however it ends. */
  readonly stack: AsyncDisposableStack;
  /** Aborted when the end has begun: who still waits for something to begin stops waiting. */
  readonly ending: AbortSignal;
  readonly faults: Pick<Faults, 'strays'>;
}

/** A command that has started. */
export interface Running {
  /** Errors when a part has failed for good; never completes. */
  readonly failed$: Observable<never>;
  /** Ends the work in good order; what it gives is the last thing said, on standard output. */
  finish(): Promise<string | null>;
}

/** How long a signal during the start waits for it. */
const HALF_STARTED_MS = 3_000;
/** The end takes no longer than ten seconds, which is what Docker allows before it kills. */
const STOP_MS = 9_000;
const STATED_STOP_MS = 10_000;

/**
 * The life of a command that runs until a signal, or until it has run for `forMs`. A signal during the start ends it too.
 * What cannot be closed in time is left as it is, which loses nothing: all that counts is on disk already.
 * Rejects with what `start`, a part or the end has failed with, and with errors that nobody has caught.
 */
export async function untilStopped(
  options: Pick<Options, 'logLevel' | 'logFormat'> & { readonly forMs?: number | undefined },
  start: (session: Session) => Promise<Running>,
): Promise<number> {
  const screen = openScreen(options);
  const { logger } = screen;
  const signals = listenForSignals();
  const faults = listenForFaults(logger);
  const stack = new AsyncDisposableStack();
  const ending = new AbortController();
  let firstFault: { readonly error: unknown } | null = null;
  const fault = faults.first.then((error) => {
    firstFault = { error };
    return Promise.reject(error);
  });
  let timeIsUp: Promise<false> = Promise.resolve(false);
  let lastWords: string | null = null;

  function end(): void {
    if (ending.signal.aborted) return;
    timeIsUp = firstValueFrom(timer(STOP_MS).pipe(map(() => false)));
    ending.abort();
  }
  try {
    const stopped = signals.first.then((signal) => ({ signal }));
    const starting = start({ screen, stack, ending: ending.signal, faults });
    const outcome = await Promise.race([starting, stopped, fault]);
    if ('signal' in outcome) {
      logger.info({ reason: outcome.signal, withinMs: STATED_STOP_MS }, 'stopping before everything was started');
      end();
      // What is half started cannot be closed; it soon is started, or has failed, which no longer matters.
      await Promise.race([Promise.allSettled([starting]), firstValueFrom(timer(HALF_STARTED_MS))]);
    } else {
      const reason$ = race(from(signals.first), elapsed(options.forMs), outcome.failed$, from(fault));
      const reason = await firstValueFrom(reason$);
      screen.clear();
      logger.info({ reason, withinMs: STATED_STOP_MS }, 'stopping');
      end();
      const words = await Promise.race([outcome.finish(), timeIsUp, fault]);
      if (words !== false) lastWords = words;
    }
  } finally {
    screen.clear();
    end();
    const closing = stack.disposeAsync().then(() => true);
    if (!(await Promise.race([closing, timeIsUp]))) {
      logger.warn(
        'not everything could be closed in time; what is on disk is whole, and the next start goes on from it',
      );
    }
    signals.release();
    faults.release();
  }
  if (lastWords !== null) process.stdout.write(`${lastWords}\n`);
  // Also one that came while everything was being closed.
  if (firstFault !== null) throw (firstFault as { readonly error: unknown }).error;
  return 0;
}

function elapsed(forMs: number | undefined): Observable<string> {
  return forMs === undefined ? NEVER : timer(forMs).pipe(map(() => 'the time is up'));
}
