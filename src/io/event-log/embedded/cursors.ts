import type { SchedulerLike, Subscription } from 'rxjs';
import type { Logger } from '../../logging/logger.ts';
import type { SqliteDatabase } from '../../storage/sqlite/sqlite.ts';
import type { EmbeddedEntries, EntriesSize } from './entries.ts';

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
const RETRY_DELAY_MS = 1000;
const TOLD_FAILURES = 60;

export async function embeddedCursors(
  database: SqliteDatabase,
  entries: EmbeddedEntries,
  { durables, keeper, logger, scheduler }: CursorsOptions,
): Promise<EmbeddedCursors> {
  if (durables !== undefined) await setInterest(database, durables);
  const rows = await database.all<{ name: string; cursor: number }>('SELECT name, cursor FROM event_log_durables');
  const cursors = new Map(rows.map(({ name, cursor }) => [name, cursor]));
  /** What each durable had not acknowledged when its cursor was last written. */
  const backlogs = new Map<string, EntriesSize>();
  /** The cursors as they are on disk, which the backlogs go with. */
  const written = new Map(cursors);
  for (const [name, cursor] of cursors) backlogs.set(name, await entries.size(cursor, Number.MAX_SAFE_INTEGER));
  const dirty = new Set<string>();
  let timer: Subscription | undefined;
  let closed = false;
  let failures = 0;
  let releaseDue = cursors.size > 0;
  let lastWrite: Promise<unknown> = Promise.resolve();

  function flushAfter(delayMs: number): void {
    if (closed || timer !== undefined) return;
    timer = scheduler.schedule(() => {
      timer = undefined;
      flush().then(
        () => {
          failures = 0;
        },
        (error: unknown) => {
          // Once a minute: a full disk may stay full for hours.
          if (failures++ % TOLD_FAILURES === 0) logger.warn({ err: error }, 'event log could not store its cursors');
          flushAfter(RETRY_DELAY_MS);
        },
      );
    }, delayMs);
  }

  /** One write after the other; a failed one has told its own caller. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = lastWrite.then(work, work);
    lastWrite = done;
    return done;
  }

  const flush = () => inTurn(write);

  async function write(): Promise<void> {
    if (dirty.size === 0 && !releaseDue) return;
    const moves = [...dirty].map((name) => ({ name, from: written.get(name) ?? 0, to: cursors.get(name) ?? 0 }));
    dirty.clear();
    releaseDue = false;
    try {
      const { passed, released } = await database.transaction(async () => {
        const sizes: EntriesSize[] = [];
        const next = new Map(written);
        for (const { name, from, to } of moves) {
          sizes.push(await entries.size(from, to));
          await database.run(SET_CURSOR, to, name);
          next.set(name, to);
        }
        return { passed: sizes, released: await entries.release(lowest(next)) };
      });
      for (const [index, { name, to }] of moves.entries()) {
        written.set(name, to);
        backlogs.set(name, minus(backlogs.get(name), passed[index]));
      }
      entries.forget(released);
      if (!released.more) return;
      releaseDue = true;
      flushAfter(0);
    } catch (error) {
      for (const { name } of moves) dirty.add(name);
      releaseDue = true;
      throw error;
    }
  }

  /** The reader that is farthest behind, the keeper aside. */
  function slowest(): string | null {
    let found: string | null = null;
    for (const [name, cursor] of written) {
      if (name !== keeper && (found === null || cursor < (written.get(found) ?? 0))) found = name;
    }
    return found;
  }

  function set(name: string, cursor: number, backlog: EntriesSize): void {
    cursors.set(name, cursor);
    written.set(name, cursor);
    backlogs.set(name, backlog);
  }

  const counting = entries.appended$.subscribe((size) => {
    for (const [name, backlog] of backlogs) backlogs.set(name, plus(backlog, size));
  });
  if (releaseDue) flushAfter(0);

  return {
    async ensure(durable) {
      if (!cursors.has(durable)) {
        const backlog = await database.transaction(async () => {
          await database.run('INSERT INTO event_log_durables VALUES (?, 0) ON CONFLICT DO NOTHING', durable);
          return entries.size(0, Number.MAX_SAFE_INTEGER);
        });
        set(durable, 0, backlog);
      }
      return cursors.get(durable) ?? 0;
    },
    at: (durable) => cursors.get(durable) ?? 0,
    advance(durable, position) {
      if (closed || position <= (cursors.get(durable) ?? 0)) return;
      cursors.set(durable, position);
      dirty.add(durable);
      releaseDue = true;
      flushAfter(FLUSH_DELAY_MS);
    },
    rewind: (durable, position) =>
      inTurn(async () => {
        const backlog = await database.transaction(async () => {
          await database.run(SET_CURSOR, position, durable);
          return entries.size(position, Number.MAX_SAFE_INTEGER);
        });
        set(durable, position, backlog);
      }),
    waiting() {
      const name = slowest();
      if (name === null) return { ...entries.held, after: 0 };
      return { ...(backlogs.get(name) ?? NOTHING), after: written.get(name) ?? 0 };
    },
    letGo: (excess) =>
      inTurn(async () => {
        const reader = slowest();
        if (keeper === undefined || reader === null) return NOTHING;
        const limit = written.get(reader) ?? 0;
        const from = written.get(keeper) ?? 0;
        const { to, size } = await entries.oldest(from, limit, excess);
        if (size.entries === 0) return NOTHING;
        cursors.set(keeper, Math.max(to, cursors.get(keeper) ?? 0));
        dirty.add(keeper);
        await write();
        return size;
      }),
    flush,
    async close() {
      closed = true;
      timer?.unsubscribe();
      counting.unsubscribe();
      await flush().catch((error: unknown) =>
        logger.warn({ err: error }, 'event log could not store its cursors; what was acknowledged last comes again'),
      );
    },
  };
}

const SET_CURSOR = 'UPDATE event_log_durables SET cursor = ? WHERE name = ?';
const NOTHING: EntriesSize = { entries: 0, bytes: 0 };

function plus(left: EntriesSize, right: EntriesSize): EntriesSize {
  return { entries: left.entries + right.entries, bytes: left.bytes + right.bytes };
}

function minus(left: EntriesSize = NOTHING, right: EntriesSize = NOTHING): EntriesSize {
  return { entries: left.entries - right.entries, bytes: left.bytes - right.bytes };
}

function lowest(cursors: ReadonlyMap<string, number>): number {
  return cursors.size === 0 ? 0 : Math.min(...cursors.values());
}

/** Makes `durables` the readers that entries wait for: new ones first get all that is held, others are dropped. */
async function setInterest(database: SqliteDatabase, durables: readonly string[]): Promise<void> {
  await database.transaction(async () => {
    const names = JSON.stringify(durables);
    await database.run(
      'INSERT INTO event_log_durables SELECT value, 0 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING',
      names,
    );
    await database.run('DELETE FROM event_log_durables WHERE name NOT IN (SELECT value FROM json_each(?))', names);
  });
}
