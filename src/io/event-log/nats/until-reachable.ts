import { asyncScheduler, type MonoTypeOperatorFunction, retry, type SchedulerLike, throwError } from 'rxjs';
import type { Logger } from '../../logging/logger.ts';
import { againAfter } from './aborted.ts';
import { EventLogUnreachableError } from './errors.ts';
import { reconnectDelayMs } from './reconnects.ts';

export interface UntilReachableOptions {
  /** For messages: hosts and ports, no credentials. */
  readonly servers: string;
  /** Keep trying, for ever; else the first failure is the last. */
  readonly waits: boolean;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
  readonly logger: Logger;
  readonly scheduler?: SchedulerLike;
}

/** It may be away for hours: told once, then every minute. */
const TOLD_ATTEMPTS = 15;

/** Tries to connect again while no server is there. Errors with an EventLogUnreachableError that says what to do. */
export function untilReachable<T>({
  servers,
  waits,
  signal,
  logger,
  scheduler = asyncScheduler,
}: UntilReachableOptions): MonoTypeOperatorFunction<T> {
  return retry({
    delay: (error: unknown, attempt: number) => {
      const unreachable = new EventLogUnreachableError(
        `no NATS server can be reached at ${servers} (${error instanceof Error ? error.message : String(error)}); ` +
          'start one, or give its address with --nats-url',
      );
      if (!waits) return throwError(() => unreachable);
      const retryMs = reconnectDelayMs(attempt);
      if (attempt % TOLD_ATTEMPTS === 1) logger.warn({ attempt, retryMs }, unreachable.message);
      else logger.debug({ attempt, retryMs }, unreachable.message);
      return againAfter(retryMs, signal, scheduler);
    },
  });
}
