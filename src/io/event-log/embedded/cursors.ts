import type { SchedulerLike } from 'rxjs';
import { inTurn } from '../../../streams/flow/in-turn.ts';
import type { Logger } from '../../logging/logger.ts';
import type { SqliteDatabase } from '../../storage/sqlite/sqlite.ts';
import { type CursorBook, type CursorMove, cursorBook } from './cursor-book.ts';
import { addDurable, durableRows, keepDurables, setCursor } from './durable-rows.ts';
import type { EmbeddedEntries } from './entries.ts';
import { type EntriesSize, NOTHING } from './entries-size.ts';
import { flushLater } from './flush-later.ts';

/** How far each durable has acknowledged, kept in SQLite with few writes, and the release of what all are done with. */
export interface EmbeddedCursors {
  /** Makes the durable known, from then on entries wait for it; resolves to its cursor. */
  ensure(durable: string): Promise<number>;
  /** Up to where the durable has acknowledged; 0 for one that is not known. */
  at(durable: string): number;
  /** Notes that everything up to `position` is acknowledged; it is on disk a moment later, or after `flush`. */
  advance(durable: string, position: number): void;
  /** Sets the durable back, so that what follows `position` waits for it again. On disk when it resolves. */
  rewind(durable: string, position: number): Promise<void>;
  /** What waits for a reader, the keeper aside, and the cursor behind which it waits. */
  waiting(): EntriesSize & { readonly after: number };
  /** Releases the oldest of what only the keeper waits for, until so much is free or nothing is left of it. */
  letGo(excess: EntriesSize): Promise<EntriesSize>;
  /** Writes what is noted. Rejects when that fails; it stays noted. */
  flush(): Promise<void>;
  /** Flushes if the disk lets it, and lets no timer run afterwards. */
  close(): Promise<void>;
}

export interface CursorsOptions {
  readonly durables: readonly string[] | undefined;
  /** The durable for which entries are kept only while there is room. */
  readonly keeper: string | undefined;
  readonly logger: Logger;
  readonly scheduler: SchedulerLike;
}

/** Acknowledgements wait this long for others, so that many share one commit. */
const FLUSH_DELAY_MS = 20;

export async function embeddedCursors(
  database: SqliteDatabase,
  entries: EmbeddedEntries,
  { durables, keeper, logger, scheduler }: CursorsOptions,
): Promise<EmbeddedCursors> {
  if (durables !== undefined) await database.transaction(() => keepDurables(database, durables));
  const book = cursorBook();
  const known = await durableRows(database);
  for (const { name, cursor } of known) book.set(name, cursor, await entries.behind(cursor));
  const counting = entries.appended$.subscribe(book.append);
  const turns = inTurn();
  const write = async () => {
    const { more } = await writeCursors(database, entries, book);
    if (more) releaseSoon();
  };
  const flush = () => turns.take(write);
  const later = flushLater({ flush, logger, scheduler });
  let isClosed = false;

  function releaseSoon(): void {
    book.releaseIsDue();
    later.after(0);
  }

  if (known.length > 0) releaseSoon();

  return {
    async ensure(durable) {
      if (!book.has(durable)) {
        const backlog = await database.transaction(async () => {
          await addDurable(database, durable);
          return entries.behind(0);
        });
        book.set(durable, 0, backlog);
      }
      return book.at(durable);
    },
    at: book.at,
    advance(durable, position) {
      if (isClosed || !book.advance(durable, position)) return;
      later.after(FLUSH_DELAY_MS);
    },
    rewind: (durable, position) =>
      turns.take(async () => {
        const backlog = await database.transaction(async () => {
          await setCursor(database, durable, position);
          return entries.behind(position);
        });
        book.set(durable, position, backlog);
      }),
    waiting() {
      const slowest = book.slowestBut(keeper);
      return slowest === null ? { ...entries.held, after: 0 } : { ...slowest.backlog, after: slowest.cursor };
    },
    letGo: (excess) =>
      turns.take(async () => {
        const reader = book.slowestBut(keeper);
        if (keeper === undefined || reader === null) return NOTHING;
        const { to, size } = await entries.oldest(book.writtenAt(keeper), reader.cursor, excess);
        if (size.entries === 0) return NOTHING;
        book.advance(keeper, to);
        await write();
        return size;
      }),
    flush,
    async close() {
      isClosed = true;
      later.stop();
      counting.unsubscribe();
      await flush().catch((error: unknown) =>
        logger.warn({ err: error }, 'event log could not store its cursors; what was acknowledged last comes again'),
      );
    },
  };
}

/**
 * Writes what has moved and releases a batch of what all readers are done with, both or neither.
 * @returns whether there is more to release
 */
async function writeCursors(
  database: SqliteDatabase,
  entries: EmbeddedEntries,
  book: CursorBook,
): Promise<{ readonly more: boolean }> {
  const moves = book.take();
  if (moves === null) return { more: false };
  try {
    const { passed, released } = await database.transaction(async () => ({
      passed: await writeMoves(database, entries, moves),
      // Not before the transaction: a reader that became known while this one waited has a say, too.
      released: await entries.release(book.releasableAfter(moves)),
    }));
    book.written(moves, passed);
    entries.forget(released);
    return released;
  } catch (error) {
    book.giveBack(moves);
    throw error;
  }
}

/** Resolves to what each move acknowledges. */
async function writeMoves(
  database: SqliteDatabase,
  entries: EmbeddedEntries,
  moves: readonly CursorMove[],
): Promise<EntriesSize[]> {
  const passed: EntriesSize[] = [];
  for (const { name, from, to } of moves) {
    passed.push(await entries.size(from, to));
    await setCursor(database, name, to);
  }
  return passed;
}
