import type { Refusal, ValtrackEvent } from '../../consensus/events.ts';
import type { PeerView } from '../../consensus/peer-view.ts';

/** Where the reducer keeps its result. It has one writer: what was read stays true until the next commit. */
export interface ViewStore {
  /**
   * Resolves when the store can take another batch. Everything the reducer does waits for it, so that a slow disk holds
   * the event log back instead of filling memory.
   */
  room(): Promise<void>;
  /** Those of the given event ids whose effect is already in the store. */
  applied(eventIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** The views of those of the given peers that are known, by peer id. */
  views(peerIds: readonly string[]): Promise<ReadonlyMap<string, PeerView>>;
  /** Makes the whole change durable, or rejects and changes nothing. */
  commit(change: BatchChange): Promise<void>;
}

/** Everything one batch does, to be committed as one. */
export interface BatchChange {
  /** The log the batch came from, and the highest position in it. */
  readonly log: string;
  readonly position: number;
  readonly committedMs: number;
  /** Ids that count as applied from now on: those of `events`, and {@link DeadLetter.key} of `deadLetters`. */
  readonly eventIds: readonly string[];
  /** Applied for the first time, in the order of the log, each with its id in `event_id`. */
  readonly events: readonly ValtrackEvent[];
  /** The new views of the peers that the events are about. */
  readonly views: readonly PeerView[];
  /** Views as they were at the end of a day (UTC) that an event of this batch was the first to leave behind. */
  readonly endedDays: readonly PeerView[];
  /** Views after an observation that came when newer days of its peer were known: of its day nothing may be known yet. */
  readonly lateDays: readonly LateDay[];
  readonly deadLetters: readonly DeadLetter[];
}

export interface LateDay {
  readonly atMs: number;
  readonly view: PeerView;
}

/** A delivery that could not be read, kept for people to look at. */
export interface DeadLetter {
  /** What it is known by. Never the id of an event: whoever sends rubbish under another's id keeps nothing from counting. */
  readonly key: string;
  readonly position: number;
  readonly eventId: string;
  readonly subject: string;
  readonly refusal: Refusal;
  /** In one line, naming the field. */
  readonly reason: string;
  readonly payload: Uint8Array;
}
