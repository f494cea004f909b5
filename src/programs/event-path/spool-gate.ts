import {
  asyncScheduler,
  BehaviorSubject,
  distinctUntilChanged,
  exhaustMap,
  type Observable,
  type SchedulerLike,
  type Subscription,
  timer,
} from 'rxjs';
import { bytesText, clockText } from '../../commands/texts.ts';
import type { EmbeddedEventLog, EventLogDepth } from '../../io/event-log/embedded/log.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { retryForever } from '../../streams/flow/retry-forever.ts';
import { type EventLog, EventLogUsageError } from '../../streams/ports/event-log.ts';
import type { Check } from '../health.ts';

/** The way into the spool, and whether there is room behind it. */
export interface SpoolGate {
  /** The spool's `append`; what it answers is noted. */
  readonly log: Pick<EventLog, 'append'>;
  /** Whether peers may be visited: not while the spool has no room for what that would bring. */
  readonly isOpen$: Observable<boolean>;
  /** Says how full the spool is, and why, from four fifths on. */
  readonly check: Check;
}

export interface SpoolLimits {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

interface SpoolGateOptions extends SpoolLimits {
  readonly spool: Pick<EmbeddedEventLog, 'append' | 'depth'>;
  /** Why events are not read, if that is known. */
  readonly cause: Check;
  readonly logger: Logger;
  readonly scheduler?: SchedulerLike;
}

type Level = 'roomy' | 'filling' | 'full';

const LOOK_MS = 1_000;
/** Who holds what was refused tries it again every five seconds at least. */
const FORGET_MS = 15_000;
const FILLING_AT = 0.8;
/** The rest is for what visits in flight bring. */
const FULL_AT = 0.98;
/** So much less it has to be before it is said that there is room again. */
const HYSTERESIS = 0.03;

/** Watches the spool; `watching` is to be unsubscribed at the end. */
export function spoolGate({ spool, maxBytes, maxAgeMs, cause, logger, scheduler = asyncScheduler }: SpoolGateOptions): {
  readonly gate: SpoolGate;
  readonly watching: Subscription;
} {
  let level: Level = 'roomy';
  let refusal: string | null = null;
  let refusedMs = 0;
  let text = '';
  const isOpen$ = new BehaviorSubject(true);

  function decide(): void {
    isOpen$.next(level !== 'full' && refusal === null);
  }

  /** Who was refused tries again and again; when nobody does any more, the next one has to find out. */
  function forget(): void {
    if (refusal === null || scheduler.now() - refusedMs < FORGET_MS) return;
    refusal = null;
    decide();
  }

  async function look(): Promise<void> {
    forget();
    const depth = await spool.depth();
    const ageMs = depth.oldestMs === null ? 0 : scheduler.now() - depth.oldestMs;
    const next = levelOf(Math.max(depth.bytes / maxBytes, (ageMs / maxAgeMs) * FULL_AT), level);
    text = depthText(depth, ageMs);
    if (next === level) return;
    level = next;
    const why = await cause();
    if (level === 'full') logger.error({ ...depth, why }, `${text}; the crawl pauses until there is room`);
    else if (level === 'filling') logger.warn({ ...depth, why }, text);
    else logger.info({ ...depth }, 'the event log on disk has room again');
    decide();
  }

  function depthText({ bytes, entries }: EventLogDepth, ageMs: number): string {
    const full = `${Math.floor((100 * bytes) / maxBytes)} % full`;
    return (
      `the event log on disk is ${full}: ${entries} events wait, ${bytesText(bytes)} of ${bytesText(maxBytes)}, ` +
      `the oldest for ${clockText(ageMs)} of ${clockText(maxAgeMs)}`
    );
  }

  async function append(entries: Parameters<EventLog['append']>[0]): Promise<void> {
    try {
      await spool.append(entries);
      if (refusal === null) return;
      refusal = null;
      logger.info('events are written to disk again');
      decide();
    } catch (error) {
      // That would be refused with any amount of room, and is not tried again.
      if (error instanceof EventLogUsageError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      if (refusal === null) {
        logger.error({ err: error }, `${reason}; the crawl pauses until events are written to disk again`);
      }
      refusal = reason;
      refusedMs = scheduler.now();
      decide();
      throw error;
    }
  }

  const watching = timer(0, LOOK_MS, scheduler)
    .pipe(
      exhaustMap(look),
      retryForever({
        minDelayMs: LOOK_MS,
        maxDelayMs: 30 * LOOK_MS,
        scheduler,
        onFailure: ({ error }) => logger.error({ err: error }, 'the event log on disk could not be looked at'),
      }),
    )
    .subscribe();

  return {
    gate: {
      log: { append },
      isOpen$: isOpen$.pipe(distinctUntilChanged()),
      async check() {
        if (refusal !== null) return `${refusal}; no peers are visited until events are written to disk again`;
        if (level === 'roomy') return null;
        const paused = level === 'full' ? '; no peers are visited until there is room' : '';
        const why = await cause();
        return `${text}${paused}${why === null ? '' : `; ${why}`}`;
      },
    },
    watching,
  };
}

/** @param share of the limit that is used up, 1 being the limit */
function levelOf(share: number, level: Level): Level {
  if (share >= FULL_AT || (level === 'full' && share >= FULL_AT - HYSTERESIS)) return 'full';
  if (share >= FILLING_AT || (level !== 'roomy' && share >= FILLING_AT - HYSTERESIS)) return 'filling';
  return 'roomy';
}
