import type { SchedulerLike, Subscription } from 'rxjs';
import type { Logger } from '../../logging/logger.ts';

/** Flushes a while after somebody has asked for it, once for all who have asked by then. */
export interface FlushLater {
  /** Asks for a flush. One that is already to come may come later than this asks for; none comes after `stop`. */
  after(delayMs: number): void;
  stop(): void;
}

export interface FlushLaterOptions {
  readonly flush: () => Promise<void>;
  readonly logger: Logger;
  readonly scheduler: SchedulerLike;
}

const RETRY_DELAY_MS = 1_000;
/** Once a minute: a full disk may stay full for hours. */
const TOLD_FAILURES = 60;

/** A flush that fails is repeated every second until one succeeds. */
export function flushLater({ flush, logger, scheduler }: FlushLaterOptions): FlushLater {
  let timer: Subscription | undefined;
  let isStopped = false;
  let failures = 0;

  function after(delayMs: number): void {
    if (isStopped || timer !== undefined) return;
    timer = scheduler.schedule(() => {
      timer = undefined;
      flush().then(() => {
        failures = 0;
      }, retry);
    }, delayMs);
  }

  function retry(error: unknown): void {
    if (failures++ % TOLD_FAILURES === 0) logger.warn({ err: error }, 'event log could not store its cursors');
    after(RETRY_DELAY_MS);
  }

  return {
    after,
    stop() {
      isStopped = true;
      timer?.unsubscribe();
    },
  };
}
