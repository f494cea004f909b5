import type { Delivery } from '../ports/event-log.ts';
import type { PublishedStream } from '../ports/spool.ts';

/** Publishes batches, and knows which of them the stream may have seen before. It outlives the stream's sessions. */
export interface Publisher {
  /** Publishing goes on at or before this position, up to which everything was published. */
  resumed(publishedTo: number): void;
  /**
   * Resolves to the highest sequence that the stream gave to the batch.
   * @throws what the stream says; the batch may then be published again
   */
  publish(batch: readonly Delivery[], session: string): Promise<number>;
  /** Entries that the stream has taken. */
  readonly published: number;
}

/**
 * @param unnoted entries that an earlier run may have published beyond what it could note
 * @param onSuccess told each time the stream has taken something
 */
export function createPublisher(
  stream: Pick<PublishedStream, 'publish'>,
  unnoted: number,
  onSuccess: () => void,
): Publisher {
  /** Up to here entries may have been published before, under their own ids. */
  let attempted: number | null = null;
  let published = 0;

  return {
    resumed(publishedTo) {
      attempted = Math.max(attempted ?? publishedTo + unnoted, publishedTo);
    },
    async publish(batch, session) {
      const first = batch[0]?.position ?? 0;
      const last = batch.at(-1)?.position ?? 0;
      const isRepeated = first <= (attempted ?? 0);
      attempted = Math.max(attempted ?? 0, last);
      const sequence = await stream.publish(batch, { session, isRepeated });
      onSuccess();
      published += batch.length;
      return sequence;
    },
    get published() {
      return published;
    },
  };
}
