import { firstValueFrom, from, map, NEVER, type Observable, race, timer } from 'rxjs';
import type { Options } from './options.ts';
import { openScreen, type Screen } from './screen.ts';
import { listenForSignals } from './stopping.ts';

/** What a command has while it starts and runs. */
export interface Session {
  readonly screen: Screen;
  /** Everything the command opens; closed in reverse when it ends, however it ends. */
  readonly stack: AsyncDisposableStack;
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

/**
 * The life of a command that runs until a signal, or until it has run for `forMs`. A signal during the start ends it too.
 * Rejects with what `start`, a part or the end has failed with.
 */
export async function untilStopped(
  options: Pick<Options, 'logLevel' | 'logFormat'> & { readonly forMs?: number | undefined },
  start: (session: Session) => Promise<Running>,
): Promise<number> {
  const screen = openScreen(options);
  const { logger } = screen;
  const signals = listenForSignals();
  const stack = new AsyncDisposableStack();
  let lastWords: string | null = null;
  try {
    const stopped = signals.first.then((signal) => ({ signal }));
    const starting = start({ screen, stack });
    const outcome = await Promise.race([starting, stopped]);
    if ('signal' in outcome) {
      logger.info({ reason: outcome.signal }, 'stopping before everything was started');
      // What is half started cannot be closed; it soon is started, or has failed, which no longer matters.
      await Promise.race([Promise.allSettled([starting]), firstValueFrom(timer(HALF_STARTED_MS))]);
    } else {
      const reason = await firstValueFrom(race(from(signals.first), elapsed(options.forMs), outcome.failed$));
      screen.clear();
      logger.info({ reason }, 'stopping');
      lastWords = await outcome.finish();
    }
  } finally {
    screen.clear();
    await stack.disposeAsync();
    signals.release();
  }
  if (lastWords !== null) process.stdout.write(`${lastWords}\n`);
  return 0;
}

function elapsed(forMs: number | undefined): Observable<string> {
  return forMs === undefined ? NEVER : timer(forMs).pipe(map(() => 'the time is up'));
}
