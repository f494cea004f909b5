import type { Delivery, EventLog, LogEntry } from './event-log.ts';

/** A log in front of another: it keeps what it has handed on until it has been read there. */
export interface Spool extends Pick<EventLog, 'deliveries'> {
  /** The position up to which a durable has acknowledged everything; 0 before the first. */
  cursor(durable: string): number;
  /** Acknowledges for a durable everything up to a position; takes effect a moment later. */
  advance(durable: string, position: number): void;
  /** Takes acknowledgements back: entries after the position that are still held are delivered again. */
  rewind(durable: string, position: number): Promise<void>;
  /** What is held with `after < position <= upTo`, oldest first, at most `limit`. */
  ids(after: number, upTo: number, limit: number): Promise<readonly Pick<Delivery, 'position' | 'eventId'>[]>;
}

/** A log elsewhere, which forgets a message once every reader has acknowledged it. */
export interface PublishedStream {
  /** Makes what is missing and says how things stand. Rejects while the stream cannot be reached. */
  state(): Promise<StreamState>;
  /**
   * Publishes the entries, those of one peer in order. Resolves to the highest sequence that the stream gave them, once
   * all are stored there. Rejects when it cannot promise that; the same entries may then be published again.
   * @throws StreamChangedError when the session has ended before or meanwhile
   */
  publish(entries: readonly LogEntry[], options: PublishOptions): Promise<number>;
  /**
   * Which of the events have had no effect at some reader, as it says itself: what has left the stream may never have
   * reached it. Readers that never say such things are believed to have had all. `null` while a reader that does so
   * otherwise cannot be asked.
   */
  unapplied(eventIds: readonly string[]): Promise<ReadonlySet<string> | null>;
}

export interface PublishOptions {
  /** Of a `StreamState`. */
  readonly session: string;
  /**
   * Whether they may have been published before. The stream remembers ids for a while, of messages that it has lost too:
   * what it takes for repeated gets another message id, from which readers know the event id all the same.
   */
  readonly isRepeated: boolean;
}

export interface StreamState {
  /** Another one once the stream or one of its readers was made anew: what was not read by then may be gone. */
  readonly incarnation: string;
  /** Another one whenever that has changed, the connection was lost, or another server leads. */
  readonly session: string;
  /** The oldest sequence that some reader has not acknowledged; one after the last when there is none. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Readers of others by name, each with what changes when it is made anew and so has lost its place. */
  readonly readers: Readonly<Record<string, string>>;
}

/** What was published before may be gone, read or not. */
export class StreamChangedError extends Error {
  override readonly name = 'StreamChangedError';
}
