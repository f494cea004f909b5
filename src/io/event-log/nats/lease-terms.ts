/** Whether a lease is ours by our own clock, and in which of the times that we had it. */
export interface LeaseTerms {
  /** What is asked for at this instant counts from it, which is before the server counts from. */
  now(): Instant;
  /** The revision that was ours last, even if its time is over; `null` when it was lost. */
  readonly revision: number | null;
  /** What tells one time of having it from the next; `null` when it is not ours at this very moment. */
  term(): number | null;
  /** It is ours, from the instant on at which it was asked for: a new term, unless it was ours all the time. */
  hold(revision: number, since: Instant): void;
  end(): void;
}

/** On two clocks: one does not run while the machine sleeps, the other may be set. */
export interface Instant {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

interface Held {
  readonly revision: number;
  readonly term: number;
  readonly since: Instant;
}

const clocks = (): Instant => ({ monotonicMs: performance.now(), wallMs: Date.now() });

/** @param ttlMs how long it is ours without a renewal */
export function leaseTerms(ttlMs: number, now: () => Instant = clocks): LeaseTerms {
  let held: Held | null = null;
  let terms = 0;

  function isOver({ since }: Held): boolean {
    const { monotonicMs, wallMs } = now();
    return Math.max(monotonicMs - since.monotonicMs, wallMs - since.wallMs) >= ttlMs;
  }

  return {
    now,
    get revision() {
      return held?.revision ?? null;
    },
    term: () => (held === null || isOver(held) ? null : held.term),
    hold(revision, since) {
      held = { revision, term: held?.term ?? ++terms, since };
    },
    end() {
      held = null;
    },
  };
}
