import type { EventLog, LogEntry } from './event-log.ts';

/** A log in front of another: it keeps what it has handed on until it has been read there. */
export interface Spool extends Pick<EventLog, 'deliveries'> {
  /** The position up to which a durable has acknowledged everything; 0 before the first. */
  cursor(durable: string): number;
  /** Acknowledges for a durable everything up to a position; takes effect a moment later. */
  advance(durable: string, position: number): void;
  /** Takes acknowledgements back: entries after the position that are still held are delivered again. */
  rewind(durable: string, position: number): Promise<void>;
}

/** A log elsewhere, which forgets a message once every reader has acknowledged it. */
export interface PublishedStream {
  /** Makes what is missing and says how things stand. Rejects while the stream cannot be reached. */
  state(): Promise<StreamState>;
  /**
   * Publishes the entries, those of one peer in order. Resolves to the highest sequence that the stream gave them, once
   * all are stored there. Rejects when it cannot promise that; the same entries may then be published again.
   * @throws StreamChangedError when the stream is not `incarnation` any more; nothing was published then
   */
  publish(entries: readonly LogEntry[], incarnation: string): Promise<number>;
}

export interface StreamState {
  /** Another one once the stream was made anew. */
  readonly id: string;
  /** Another one once the stream or one of its readers was made anew: what was not read by then may be gone. */
  readonly incarnation: string;
  /** The oldest sequence that some reader has not acknowledged; one after the last when there is none. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** How long an event id is remembered, and not stored again, even when its message is gone. */
  readonly rememberIdsMs: number;
}

/** What was published before may be gone, read or not. */
export class StreamChangedError extends Error {
  override readonly name = 'StreamChangedError';
}
