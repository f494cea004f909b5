import { firstValueFrom, type SchedulerLike, timer } from 'rxjs';
import { type PublishedStream, type Spool, StreamChangedError } from '../ports/spool.ts';
import type { Losses } from './losses.ts';

/** The spool lets go of what has been read from the stream, as far as it has had its effect. */
export interface Releasing {
  /**
   * Everything up to a position has been read, as the stream has it.
   * @throws StreamChangedError when something of that was not applied by its readers, and so is to be published again
   */
  release(readTo: number): Promise<void>;
  /** Whether something that has been read is still held. */
  readonly isPending: boolean;
}

export interface ReleasingOptions {
  readonly spool: Pick<Spool, 'cursor' | 'advance' | 'ids'>;
  /** The durable whose acknowledgements let entries go. */
  readonly consumed: string;
  readonly stream: Pick<PublishedStream, 'unapplied'>;
  readonly losses: Pick<Losses, 'foundAt'>;
  readonly scheduler: SchedulerLike;
}

/** Events that readers are asked about at a time. */
const MAX_ASKED = 1_000;

export function createReleasing({ spool, consumed, stream, losses, scheduler }: ReleasingOptions): Releasing {
  let read = 0;

  /** What a reader never comes to apply is not published again without a pause. */
  async function lose(position: number): Promise<never> {
    await firstValueFrom(timer(losses.foundAt(position), scheduler));
    throw new StreamChangedError('what has left the stream has not been applied');
  }

  return {
    get isPending() {
      return spool.cursor(consumed) < read;
    },
    async release(readTo) {
      read = Math.max(read, readTo);
      for (let from = spool.cursor(consumed); from < read; ) {
        const page = await spool.ids(from, read, MAX_ASKED);
        const unapplied = await stream.unapplied(page.map(({ eventId }) => eventId));
        if (unapplied === null) return;
        const missing = page.find(({ eventId }) => unapplied.has(eventId));
        from = missing === undefined ? (page.at(-1)?.position ?? read) : missing.position - 1;
        spool.advance(consumed, from);
        if (missing !== undefined) await lose(missing.position);
      }
    },
  };
}
