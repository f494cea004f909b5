import { exhaustMap, filter, firstValueFrom, type Observable, race, type SchedulerLike, take, timer } from 'rxjs';
import type { EmbeddedEventLog } from '../../io/event-log/embedded/log.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { count } from '../../io/logging/texts.ts';
import { once } from '../part.ts';

export interface DrainOptions {
  readonly spool: Pick<EmbeddedEventLog, 'depth'>;
  /** Why there is little use in waiting; `null` when there is some. */
  readonly away: () => string | null;
  /** What happens to the events that are left on disk. */
  readonly afterStart: string;
  readonly logger: Pick<Logger, 'warn'>;
  readonly scheduler?: SchedulerLike;
}

/** What becomes of the events that are left on disk at the end. */
export const AFTER_START = {
  nats: 'wait in the spool for NATS; they are published after the next start',
  consumer: 'wait in the event log for the consumer; they are stored after the next start',
} as const;

/** How long to wait at the end for what is on disk to be handed over; the rest is handed over after the next start. */
const DRAIN_MS = 4_000;
/** NATS may be back in a moment, when it was restarted together with this program. */
const AWAY_MS = 2_000;
const CHECK_MS = 50;

/** Emits once every reader of the log has acknowledged everything. */
export function emptied(spool: Pick<EmbeddedEventLog, 'depth'>, scheduler?: SchedulerLike): Observable<unknown> {
  return timer(0, CHECK_MS, scheduler).pipe(
    exhaustMap(() => spool.depth()),
    filter(({ entries }) => entries === 0),
    take(1),
  );
}

/**
 * Waits a moment until everything on disk has been handed over, and tells what has not been, in words for people; `null`
 * when nothing is left. The log says so, too. Asked again, it gives the same answer.
 */
export function drainOf({ spool, away, afterStart, logger, scheduler }: DrainOptions): () => Promise<string | null> {
  return once(async () => {
    const waitMs = away() === null ? DRAIN_MS : AWAY_MS;
    await firstValueFrom(race(emptied(spool, scheduler), timer(waitMs, scheduler)));
    const { entries } = await spool.depth();
    if (entries === 0) return null;
    const left = `${count(entries)} events ${afterStart}`;
    logger.warn({ events: entries }, left);
    return left;
  });
}
