import type { SchedulerLike, Subscription } from 'rxjs';
import type { Logger } from '../logger.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import type { EmbeddedEntries } from './embedded-entries.ts';

/** How far each durable has acknowledged, kept in SQLite with few writes, and the release of what all are done with. */
export interface EmbeddedCursors {
  /** Makes the durable known, from then on entries wait for it; resolves to its cursor. */
  ensure(durable: string): Promise<number>;
  /** Notes that everything up to `position` is acknowledged; it is on disk a moment later, or after `flush`. */
  advance(durable: string, position: number): void;
  /** Writes what is noted. Rejects when that fails; it stays noted. */
  flush(): Promise<void>;
  /** Flushes, and lets no timer run afterwards. */
  close(): Promise<void>;
}

export interface CursorsOptions {
  readonly durables: readonly string[] | undefined;
  readonly logger: Logger;
  readonly scheduler: SchedulerLike;
}

/** Acknowledgements wait this long for others, so that many share one commit. */
const FLUSH_DELAY_MS = 20;
const RETRY_DELAY_MS = 1000;

export async function embeddedCursors(
  database: SqliteDatabase,
  entries: EmbeddedEntries,
  { durables, logger, scheduler }: CursorsOptions,
): Promise<EmbeddedCursors> {
  if (durables !== undefined) await setInterest(database, durables);
  const rows = await database.all<{ name: string; cursor: number }>('SELECT name, cursor FROM event_log_durables');
  const cursors = new Map(rows.map(({ name, cursor }) => [name, cursor]));
  const dirty = new Set<string>();
  let timer: Subscription | undefined;
  let closed = false;
  let releaseDue = cursors.size > 0;
  let lastWrite: Promise<void> = Promise.resolve();

  function flushAfter(delayMs: number): void {
    if (closed || timer !== undefined) return;
    timer = scheduler.schedule(() => {
      timer = undefined;
      flush().catch((error: unknown) => {
        logger.warn({ err: error, retryMs: RETRY_DELAY_MS }, 'event log could not store its cursors');
        flushAfter(RETRY_DELAY_MS);
      });
    }, delayMs);
  }

  /** One write after the other; a failed one has told its own caller. */
  function flush(): Promise<void> {
    lastWrite = lastWrite.then(write, write);
    return lastWrite;
  }

  async function write(): Promise<void> {
    if (dirty.size === 0 && !releaseDue) return;
    const names = [...dirty];
    dirty.clear();
    releaseDue = false;
    try {
      const released = await database.transaction(async () => {
        for (const name of names) {
          await database.run('UPDATE event_log_durables SET cursor = ? WHERE name = ?', cursors.get(name) ?? 0, name);
        }
        return entries.release(lowest(cursors));
      });
      entries.forget(released);
      if (!released.more) return;
      releaseDue = true;
      flushAfter(0);
    } catch (error) {
      for (const name of names) dirty.add(name);
      releaseDue = true;
      throw error;
    }
  }

  if (releaseDue) flushAfter(0);

  return {
    async ensure(durable) {
      if (!cursors.has(durable)) {
        await database.transaction(() =>
          database.run('INSERT INTO event_log_durables VALUES (?, 0) ON CONFLICT DO NOTHING', durable),
        );
        cursors.set(durable, 0);
      }
      return cursors.get(durable) ?? 0;
    },
    advance(durable, position) {
      if (closed || position <= (cursors.get(durable) ?? 0)) return;
      cursors.set(durable, position);
      dirty.add(durable);
      releaseDue = true;
      flushAfter(FLUSH_DELAY_MS);
    },
    flush,
    async close() {
      closed = true;
      timer?.unsubscribe();
      await flush();
    },
  };
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
