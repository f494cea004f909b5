import { hostname } from 'node:os';
import type { KV } from 'nats';
import { BehaviorSubject, distinctUntilChanged, exhaustMap, type Observable, Subject, switchMap, timer } from 'rxjs';
import type { Logger } from '../../logging/logger.ts';
import type { NatsLink } from './connection.ts';
import { isWrongRevision } from './errors.ts';

/**
 * The right to read with a durable, which one consumer has at a time: two would share the events, and each view would
 * have half of them. It is a key in a NATS bucket that vanishes unless it is renewed. Who could not renew it for as long
 * has lost it by its own clock before the server gives it to another.
 */
export interface NatsLease {
  /** Whether it is ours: now, and at each change. */
  readonly isHeld$: Observable<boolean>;
  /** What tells one time of holding it from the next; `null` when it is not ours at this very moment. */
  term(): number | null;
  /** Why it is not ours, for people; `null` when it is. */
  problem(): string | null;
  /** Gives it to whoever waits for it, at once. */
  release(): Promise<void>;
}

export interface NatsLeaseOptions {
  readonly link: Pick<NatsLink, 'connection' | 'isConnected'>;
  readonly durable: string;
  /** On how many servers of a cluster the bucket is stored when it is made here. */
  readonly replicas: number;
  /** How long it is ours without a renewal. Given to the bucket when it is made here. */
  readonly ttlMs: number;
  /** Who asks: with the same id it is had at once again after a restart. Two that run at a time must not share one. */
  readonly id: string;
  readonly logger: Logger;
}

/** Long enough for a cluster to elect a leader meanwhile, and for nobody to wait for a consumer that is gone. */
export const LEASE_MS = 8_000;

const BUCKET = 'valtrack';
const ANSWER_MS = 2_000;
/** Renewals while it lasts: two may fail. */
const RENEWALS = 3;

interface Held {
  readonly revision: number;
  readonly term: number;
  /** On two clocks: one does not run while the machine sleeps, the other may be set. */
  readonly sinceMs: Instant;
}

interface Instant {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/** Begins to ask for the lease, until it is released. */
export function natsLease({ link, durable, replicas, ttlMs, id, logger }: NatsLeaseOptions): NatsLease {
  const jetstream = link.connection.jetstream({ timeout: Math.min(ttlMs / 2, ANSWER_MS) });
  const own = JSON.stringify({ holder: `${hostname()}, process ${process.pid}`, id });
  const isHeld$ = new BehaviorSubject(false);
  const renewed$ = new Subject<void>();
  let bucket: KV | null = null;
  let held: Held | null = null;
  let terms = 0;
  let reason = 'it has not been asked for yet';
  let toldReason = '';

  const isOver = ({ sinceMs: { monotonicMs, wallMs } }: Held) =>
    Math.max(performance.now() - monotonicMs, Date.now() - wallMs) >= ttlMs;

  function lose(why: string): void {
    held = null;
    reason = why;
    if (isHeld$.value) isHeld$.next(false);
  }

  function lost(why: string): void {
    toldReason = why;
    logger.warn({ durable, why }, 'the durable is no longer ours: nothing is consumed until it is again');
    lose(`the durable ${durable} is not ours: ${why}`);
  }

  /** @param sinceMs when it was asked for, which is before the server counts from */
  function win(revision: number, sinceMs: Instant): void {
    if (held !== null && isOver(held)) lost('it was renewed too late');
    held = { revision, term: held?.term ?? ++terms, sinceMs };
    if (!isHeld$.value) isHeld$.next(true);
    renewed$.next();
  }

  async function ask(): Promise<void> {
    const sinceMs = { monotonicMs: performance.now(), wallMs: Date.now() };
    try {
      bucket ??= await jetstream.views.kv(BUCKET, { ttl: ttlMs, replicas, history: 1 });
      if (held !== null) {
        win(await bucket.update(durable, own, held.revision), sinceMs);
        return;
      }
      const entry = await bucket.get(durable);
      const isFree = entry === null || entry.operation !== 'PUT';
      const other = isFree ? null : holderOf(entry.string());
      if (other !== null && other.id !== id) {
        standBy(other.holder);
        return;
      }
      // Ours is there after a restart, or when the answer to a renewal was lost.
      const revision = isFree ? await bucket.create(durable, own) : await bucket.update(durable, own, entry.revision);
      if (toldReason !== '') {
        logger.info(
          { durable },
          'took over the durable: this view has what this consumer has consumed itself, and what comes from now on',
        );
      }
      toldReason = '';
      win(revision, sinceMs);
    } catch (error) {
      bucket = null;
      if (isWrongRevision(error) && held !== null) lost('another consumer has taken it');
      else if (held === null) reason = `the durable ${durable} cannot be had: ${String(error)}`;
      logger.debug({ err: error, durable }, 'asking for the durable failed');
    }
  }

  function standBy(holder: string): void {
    reason = `standing by: ${holder} has the durable ${durable}`;
    if (reason === toldReason) return;
    toldReason = reason;
    logger.warn({ durable, holder }, `${reason}; this consumer takes over when that one is gone`);
  }

  const asking = timer(0, ttlMs / RENEWALS)
    .pipe(exhaustMap(ask))
    .subscribe();
  const watching = renewed$
    .pipe(switchMap(() => timer(ttlMs)))
    .subscribe(() => lost('it could not be renewed in time'));

  return {
    isHeld$: isHeld$.pipe(distinctUntilChanged()),
    term: () => (held === null || isOver(held) ? null : held.term),
    problem: () => (held === null || isOver(held) ? reason : null),
    async release() {
      asking.unsubscribe();
      watching.unsubscribe();
      const last = held;
      lose('it was given up');
      isHeld$.complete();
      if (last === null || isOver(last) || !link.isConnected()) return;
      try {
        await bucket?.delete(durable, { previousSeq: last.revision });
      } catch (error) {
        logger.debug({ err: error, durable }, 'the durable is free for others only after a while');
      }
    },
  };
}

function holderOf(value: string): { readonly holder: string; readonly id: string } {
  try {
    const { holder, id } = JSON.parse(value) as { holder?: unknown; id?: unknown };
    return { holder: String(holder), id: String(id) };
  } catch (error) {
    if (error instanceof SyntaxError) return { holder: value, id: '' };
    throw error;
  }
}
