import { map, type Observable, type SchedulerLike } from 'rxjs';
import type { RetryForeverOptions } from '../flow/retry-forever.ts';
import { forward } from '../forwarder.ts';
import type { Delivery } from '../ports/event-log.ts';
import type { Spool } from '../ports/spool.ts';
import type { Confirmed } from './confirmed.ts';
import type { Publisher } from './publisher.ts';
import { isChange } from './stream-change.ts';

export interface DrainingOptions {
  readonly spool: Pick<Spool, 'deliveries'>;
  /** The durable of the spool whose acknowledgements say what the stream has. */
  readonly published: string;
  /** Of the stream, as it began. */
  readonly session: string;
  readonly publisher: Publisher;
  readonly confirmed: Pick<Confirmed, 'add'>;
  readonly batchSize: number;
  readonly batchMs: number;
  readonly scheduler: SchedulerLike;
  readonly onFailure: RetryForeverOptions['onFailure'];
}

/**
 * Drains the spool into the stream, in one session of it. Emits after each batch how many entries the publisher has
 * published. Completes when the spool is closed; errors when the stream has changed.
 */
export function draining(options: DrainingOptions): Observable<number> {
  const { spool, published, session, publisher, confirmed, scheduler } = options;

  async function append(batch: readonly Delivery[]): Promise<void> {
    const sequence = await publisher.publish(batch, session);
    confirmed.add(batch.at(-1)?.position ?? 0, sequence, scheduler.now());
  }

  return forward({ ...options, from: spool, to: { append }, durable: published, unless: isChange }).pipe(
    map(() => publisher.published),
  );
}
