import type { SchedulerLike } from 'rxjs';
import type { Logger } from '../../io/logging/logger.ts';
import { type EventLog, EventLogUsageError } from '../../streams/ports/event-log.ts';

/** The `append` of a log, and whether it takes anything. */
export interface RefusalNote extends Pick<EventLog, 'append'> {
  /** Why the last append was refused, for people; `null` when it was not, or when nobody has tried for a while. */
  reason(): string | null;
  /** Who was refused tries again and again; when nobody does any more, the next one has to find out. */
  forget(): void;
}

export interface RefusalOptions {
  readonly log: Pick<EventLog, 'append'>;
  /** Called whenever the reason has come or gone. */
  readonly onChange: () => void;
  readonly logger: Logger;
  readonly scheduler: Pick<SchedulerLike, 'now'>;
}

/** Who holds what was refused tries it again every five seconds at least. */
const FORGET_MS = 15_000;

export function noteRefusals({ log, onChange, logger, scheduler }: RefusalOptions): RefusalNote {
  let refusal: string | null = null;
  let refusedMs = 0;

  function become(reason: string | null): void {
    refusal = reason;
    onChange();
  }

  return {
    reason: () => refusal,
    forget() {
      if (refusal !== null && scheduler.now() - refusedMs >= FORGET_MS) become(null);
    },
    async append(entries) {
      try {
        await log.append(entries);
      } catch (error) {
        // That would be refused with any amount of room, and is not tried again.
        if (error instanceof EventLogUsageError) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        if (refusal === null) {
          logger.error({ err: error }, `${reason}; the crawl pauses until events are written to disk again`);
        }
        refusedMs = scheduler.now();
        become(reason);
        throw error;
      }
      if (refusal === null) return;
      logger.info('events are written to disk again');
      become(null);
    },
  };
}
