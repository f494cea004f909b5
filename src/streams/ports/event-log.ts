import type { Observable } from 'rxjs';

/**
 * The durable hand-over between sentry and consumer. Two implementations share one contract test: the embedded log
 * (SQLite) and NATS JetStream.
 */
export interface EventLog {
  /**
   * Names this log in stored positions: the same across restarts, different between logs. A NATS stream that was
   * deleted and made anew under way is another log, so read it whenever a position is stored.
   */
  readonly id: string;

  /**
   * Resolves once every entry is on stable storage, in order. An entry whose `eventId` the log still holds (NATS: got
   * within its duplicate window, two minutes) is not stored again. Rejects when nothing can be promised; some entries
   * may be stored all the same, and the caller may append the same ones again.
   * @throws EventLogUsageError when an entry is not as `LogEntry` says; EventLogFullError when the log has reached its bound: hold back and try again later.
   */
  append(entries: readonly LogEntry[]): Promise<void>;

  /**
   * Everything not yet acknowledged by `durable`, then what is appended, until unsubscribed. The durable is created
   * when missing and starts at the oldest entry still held. Oldest first; entries that are delivered again may come
   * after newer ones (NATS gives back what a killed reader had not acknowledged after its ack wait).
   *
   * At most `maxInFlight` deliveries are unacknowledged at a time: the log waits, it does not buffer. One subscriber at
   * a time per durable; a second one gets an error. A delivery may be acknowledged after unsubscribing, until `close`.
   *
   * Completes when the log is closed. Errors only when it is lost for good; passing outages are ridden out inside.
   */
  deliveries(options: DeliveryOptions): Observable<Delivery>;

  /** Ends all subscriptions and makes the acknowledgements durable, if it can: others come again. Idempotent. */
  close(): Promise<void>;
}

export interface LogEntry {
  /** One of SUBJECTS. */
  readonly subject: string;
  /** 1 to 256 visible ASCII characters. */
  readonly eventId: string;
  /** JSON in UTF-8, at most MAX_EVENT_BYTES; kept byte for byte. */
  readonly payload: Uint8Array;
}

export interface DeliveryOptions {
  readonly durable: string;
  readonly maxInFlight: number;
  /**
   * Tells which of the events have had their effect, so that whoever handed them on can make sure before letting go of
   * them. A log that does not depend on anybody else's books does not ask.
   */
  readonly applied?: (eventIds: readonly string[]) => Promise<ReadonlySet<string>>;
}

export interface Delivery extends LogEntry {
  /** Ascending within one log, with gaps; the same entry has the same position when delivered again. */
  readonly position: number;
  /** Says that the entry's effect is durable. Idempotent, never throws; may take effect a moment later. */
  ack(): void;
  /** Whether it is no longer ours: somebody else gets it, and its effect must not be made durable here. */
  isLapsed?(): boolean;
}

/** The log holds as much as it may: the readers are behind, or the disk is full. Nothing was appended. */
export class EventLogFullError extends Error {
  override readonly name = 'EventLogFullError';
}

/** The log was closed, or was asked for something only a bug asks for. */
export class EventLogUsageError extends Error {
  override readonly name = 'EventLogUsageError';
}
