import { asyncScheduler, type MonoTypeOperatorFunction, retry, type SchedulerLike, throwError } from 'rxjs';
import type { Logger } from '../../logging/logger.ts';
import { againAfter } from './aborted.ts';
import { EventLogConfigError, isBusy } from './errors.ts';

export interface UntilReadyOptions {
  /** Keep trying whatever passes, for ever; else only while the servers say that they are busy, and not for long. */
  readonly waits: boolean;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
  readonly logger: Logger;
  readonly scheduler?: SchedulerLike;
}

/** A cluster elects a leader within seconds. */
const RETRY_MS = 500;
const ATTEMPTS = 40;

/** Asks JetStream again while it cannot answer yet. What is of the wrong kind is not mended by waiting. */
export function untilReady<T>({
  waits,
  signal,
  logger,
  scheduler = asyncScheduler,
}: UntilReadyOptions): MonoTypeOperatorFunction<T> {
  return retry({
    delay: (error: unknown, attempt: number) => {
      const passes = waits ? !(error instanceof EventLogConfigError) : isBusy(error);
      if (!passes || (attempt > ATTEMPTS && !waits)) return throwError(() => error);
      logger.warn({ err: error, attempt, retryMs: RETRY_MS }, 'JetStream is not ready');
      return againAfter(RETRY_MS, signal, scheduler);
    },
  });
}
