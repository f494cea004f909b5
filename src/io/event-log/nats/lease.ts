import { BehaviorSubject, distinctUntilChanged, exhaustMap, type Observable, Subject, switchMap, timer } from 'rxjs';
import type { Logger } from '../../logging/logger.ts';
import type { NatsLink } from './connection.ts';
import { isWrongRevision } from './errors.ts';
import { leaseKey } from './lease-key.ts';
import { leaseNews } from './lease-news.ts';
import { type Instant, leaseTerms } from './lease-terms.ts';

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

/** Renewals while it lasts: two may fail. */
const RENEWALS = 3;

/** Begins to ask for the lease, until it is released. */
export function natsLease({ link, durable, replicas, ttlMs, id, logger }: NatsLeaseOptions): NatsLease {
  const key = leaseKey({ connection: link.connection, durable, replicas, ttlMs, id });
  const terms = leaseTerms(ttlMs);
  const news = leaseNews(durable, logger);
  const isHeld$ = new BehaviorSubject(false);
  const renewed$ = new Subject<void>();

  function lose(): void {
    terms.end();
    if (isHeld$.value) isHeld$.next(false);
  }

  function lost(why: string): void {
    news.lost(why);
    lose();
  }

  /** @param since when it was asked for */
  function win(revision: number, since: Instant): void {
    if (terms.revision !== null && terms.term() === null) lost('it was renewed too late');
    terms.hold(revision, since);
    if (!isHeld$.value) isHeld$.next(true);
    renewed$.next();
  }

  async function ask(): Promise<void> {
    const since = terms.now();
    try {
      // Whether it is still ours is looked at afterwards: that may take a while.
      await key.open();
      const { revision } = terms;
      if (revision !== null) return win(await key.renew(revision), since);
      const taken = await key.take();
      if ('holder' in taken) return news.standingBy(taken.holder);
      news.won();
      win(taken.revision, since);
    } catch (error) {
      if (terms.revision === null) news.failed(error);
      else if (isWrongRevision(error)) lost('another consumer has taken it');
      logger.debug({ err: error, durable }, 'asking for the durable failed');
    }
  }

  const asking = timer(0, ttlMs / RENEWALS)
    .pipe(exhaustMap(ask))
    .subscribe();
  const watching = renewed$
    .pipe(switchMap(() => timer(ttlMs)))
    .subscribe(() => lost('it could not be renewed in time'));

  return {
    isHeld$: isHeld$.pipe(distinctUntilChanged()),
    term: terms.term,
    problem: () => (terms.term() === null ? news.reason : null),
    async release() {
      asking.unsubscribe();
      watching.unsubscribe();
      const last = terms.term() === null ? null : terms.revision;
      news.givenUp();
      lose();
      isHeld$.complete();
      if (last === null || !link.isConnected()) return;
      try {
        await key.giveUp(last);
      } catch (error) {
        logger.debug({ err: error, durable }, 'the durable is free for others only after a while');
      }
    },
  };
}
