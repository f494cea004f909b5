import { concatMap, defer, map, type Observable, type SchedulerLike, scan } from 'rxjs';
import { batches } from './flow/batches.ts';
import { type RetryForeverOptions, retryForever } from './flow/retry-forever.ts';
import type { Delivery, EventLog } from './ports/event-log.ts';

export interface ForwardOptions {
  readonly from: Pick<EventLog, 'deliveries'>;
  readonly to: { append(batch: readonly Delivery[]): Promise<void> };
  /** The reader of `from` whose acknowledgements say what `to` has. */
  readonly durable: string;
  /** Entries in one append; as many are read meanwhile. */
  readonly batchSize: number;
  /** The longest an entry waits for its batch to fill. */
  readonly batchMs: number;
  readonly scheduler: SchedulerLike;
  /** Told each time `to` did not take a batch, which is tried again after a while. */
  readonly onFailure: RetryForeverOptions['onFailure'];
  /** Errors of `to` that end it all. */
  readonly unless?: (error: unknown) => boolean;
}

export interface ForwardProgress {
  /** Entries that `to` has taken since this subscription began. */
  readonly forwarded: number;
}

const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 5_000;

/**
 * Carries entries from one log to another, as the spool does in front of NATS: a batch is appended to `to`, and
 * acknowledged to `from` once that has resolved, then the next. While `to` is away the batch in hand is tried again
 * and again, and the rest stays in `from`; nothing is lost and nothing overtakes. What was appended but not
 * acknowledged, when the process is killed in between, is appended again with the same event ids.
 *
 * Emits after each batch. Completes when `from` is closed and the batches in hand are taken; errors when `from` does, and
 * with what `unless` names.
 */
export function forward({
  from,
  to,
  durable,
  batchSize,
  batchMs,
  scheduler,
  onFailure,
  unless = () => false,
}: ForwardOptions): Observable<ForwardProgress> {
  const handOver = (batch: readonly Delivery[]) =>
    defer(() => to.append(batch)).pipe(
      retryForever({ minDelayMs: RETRY_MIN_MS, maxDelayMs: RETRY_MAX_MS, scheduler, onFailure, unless }),
      map(() => {
        for (const delivery of batch) delivery.ack();
        return batch.length;
      }),
    );
  // The next batch is read while one is on its way.
  return from.deliveries({ durable, maxInFlight: 2 * batchSize }).pipe(
    batches({ size: batchSize, waitMs: batchMs, scheduler }),
    concatMap(handOver),
    scan((forwarded, count) => forwarded + count, 0),
    map((forwarded) => ({ forwarded })),
  );
}
