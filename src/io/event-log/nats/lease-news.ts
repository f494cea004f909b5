import type { Logger } from '../../logging/logger.ts';

/** Tells people whether a durable is ours: each time that changes, and not more often. */
export interface LeaseNews {
  /** Why it is not ours, as things stood when that was told last. */
  readonly reason: string;
  won(): void;
  lost(why: string): void;
  /** Another one has it. */
  standingBy(holder: string): void;
  /** Who has it cannot be found out. */
  failed(error: unknown): void;
  givenUp(): void;
}

export function leaseNews(durable: string, logger: Logger): LeaseNews {
  let reason = 'it has not been asked for yet';
  let toldReason = '';

  return {
    get reason() {
      return reason;
    },
    won() {
      if (toldReason !== '') {
        logger.info(
          { durable },
          'took over the durable: this view has what this consumer has consumed itself, and what comes from now on',
        );
      }
      toldReason = '';
    },
    lost(why) {
      toldReason = why;
      reason = `the durable ${durable} is not ours: ${why}`;
      logger.warn({ durable, why }, 'the durable is no longer ours: nothing is consumed until it is again');
    },
    standingBy(holder) {
      reason = `standing by: ${holder} has the durable ${durable}`;
      if (reason === toldReason) return;
      toldReason = reason;
      logger.warn({ durable, holder }, `${reason}; this consumer takes over when that one is gone`);
    },
    failed(error) {
      reason = `the durable ${durable} cannot be had: ${String(error)}`;
    },
    givenUp() {
      reason = 'it was given up';
    },
  };
}
