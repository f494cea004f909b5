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
import type { EmbeddedEventLog } from '../../io/event-log/embedded/log.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { retryForever } from '../../streams/flow/retry-forever.ts';
import type { EventLog } from '../../streams/ports/event-log.ts';
import { noteRefusals } from './refusals.ts';
import { depthText, type Level, levelAfter, type SpoolLimits } from './spool-level.ts';

/** The way into the spool, and whether there is room behind it. */
export interface SpoolGate {
  /** The spool's `append`; what it answers is noted. */
  readonly log: Pick<EventLog, 'append'>;
  /** Whether peers may be visited: not while the spool has no room for what that would bring. */
  readonly isOpen$: Observable<boolean>;
  /** Says how full the spool is, and why, from four fifths on. */
  readonly check: () => Promise<string | null>;
}

interface SpoolGateOptions extends SpoolLimits {
  readonly spool: Pick<EmbeddedEventLog, 'append' | 'depth'>;
  /** Why events are not read, if that is known. */
  readonly cause: () => Promise<string | null>;
  readonly logger: Logger;
  readonly scheduler?: SchedulerLike;
}

const LOOK_MS = 1_000;

/** Watches the spool; `watching` is to be unsubscribed at the end. */
export function spoolGate({ spool, maxBytes, maxAgeMs, cause, logger, scheduler = asyncScheduler }: SpoolGateOptions): {
  readonly gate: SpoolGate;
  readonly watching: Subscription;
} {
  const limits = { maxBytes, maxAgeMs };
  const isOpen$ = new BehaviorSubject(true);
  let level: Level = 'roomy';
  let text = '';
  const refusals = noteRefusals({ log: spool, onChange: decide, logger, scheduler });

  function decide(): void {
    isOpen$.next(level !== 'full' && refusals.reason() === null);
  }

  async function look(): Promise<void> {
    refusals.forget();
    const depth = await spool.depth();
    const next = levelAfter(level, depth, limits, scheduler.now());
    text = depthText(depth, limits, scheduler.now());
    if (next === level) return;
    level = next;
    const why = await cause();
    if (level === 'full') logger.error({ ...depth, why }, `${text}; the crawl pauses until there is room`);
    else if (level === 'filling') logger.warn({ ...depth, why }, text);
    else logger.info({ ...depth }, 'the event log on disk has room again');
    decide();
  }

  async function check(): Promise<string | null> {
    const refusal = refusals.reason();
    if (refusal !== null) return `${refusal}; no peers are visited until events are written to disk again`;
    if (level === 'roomy') return null;
    const paused = level === 'full' ? '; no peers are visited until there is room' : '';
    const why = await cause();
    return `${text}${paused}${why === null ? '' : `; ${why}`}`;
  }

  return {
    gate: { log: { append: refusals.append }, isOpen$: isOpen$.pipe(distinctUntilChanged()), check },
    watching: lookEvery(look, logger, scheduler).subscribe(),
  };
}

function lookEvery(look: () => Promise<void>, logger: Logger, scheduler: SchedulerLike): Observable<void> {
  return timer(0, LOOK_MS, scheduler).pipe(
    exhaustMap(look),
    retryForever({
      minDelayMs: LOOK_MS,
      maxDelayMs: 30 * LOOK_MS,
      scheduler,
      onFailure: ({ error }) => logger.error({ err: error }, 'the event log on disk could not be looked at'),
    }),
  );
}
