import type { Observable } from 'rxjs';

/**
 * The durable hand-over between sentry and consumer. Two implementations share one contract test: the embedded log
 * (SQLite) and NATS JetStream.
 */
export interface EventLog {
  /** Names this log in stored positions; stays the same across restarts, and differs between logs. */
  readonly id: string;

  /**
   * Resolves once every entry is on stable storage, in order. An entry whose `eventId` the log still holds is not
   * stored again. Rejects when nothing can be promised; the caller may append the same entries again.
   */
  append(entries: readonly LogEntry[]): Promise<void>;

  /**
   * Everything not yet acknowledged by `durable`, oldest first, then what is appended, until unsubscribed. The durable
   * is created when missing and starts at the oldest entry still held. At most `maxInFlight` deliveries are
   * unacknowledged at a time: the log waits, it does not buffer. One subscriber at a time per durable.
   *
   * Errors only when the log is lost for good; passing outages are ridden out inside.
   */
  deliveries(options: DeliveryOptions): Observable<Delivery>;

  close(): Promise<void>;
}

export interface LogEntry {
  readonly subject: string;
  readonly eventId: string;
  /** JSON in UTF-8, at most MAX_EVENT_BYTES. */
  readonly payload: Uint8Array;
}

export interface DeliveryOptions {
  readonly durable: string;
  readonly maxInFlight: number;
}

export interface Delivery extends LogEntry {
  /** Ascending within one log; the same entry has the same position when delivered again. */
  readonly position: number;
  /** Says that the entry's effect is durable. Idempotent, never throws; may take effect a moment later. */
  ack(): void;
}
