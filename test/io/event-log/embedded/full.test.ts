import { VirtualTimeScheduler } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EmbeddedEventLogOptions, embeddedEventLog } from '../../../../src/io/event-log/embedded/log.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { openSentryDatabase } from '../../../../src/io/storage/sentry/sentry-database.ts';
import type { SqliteDatabase } from '../../../../src/io/storage/sqlite/sqlite.ts';
import { EventLogFullError, type LogEntry } from '../../../../src/streams/ports/event-log.ts';
import { collect, entries, idsOf, WAIT } from '../../../support/event-log/contract.ts';
import { tempDir } from '../../../support/temp-dir.ts';

/** The embedded log with no room: its own bound, and the disk's. */

let database: SqliteDatabase;
let lines: string[];
let cleanUp: (() => Promise<void>)[];

beforeEach(async () => {
  const dir = await tempDir();
  database = await openSentryDatabase(dir.path);
  lines = [];
  cleanUp = [dir.remove, () => database.close()];
});

afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
});

async function openLog(options: Partial<EmbeddedEventLogOptions> = {}) {
  const logger = createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) });
  const log = await embeddedEventLog(database, { logger, ...options });
  cleanUp.push(() => log.close());
  return log;
}

/** Entries of 1000 bytes. */
function large(from: number, count: number): LogEntry[] {
  return entries(from, count).map((entry) => ({ ...entry, payload: new Uint8Array(1_000) }));
}

describe('what is only kept', () => {
  const NAMES = { durables: ['published', 'consumed'], keeper: 'consumed' };

  it('does not count against the bound, and is let go for new entries, oldest first, with a warning', async () => {
    const log = await openLog({ ...NAMES, maxBytes: 10_000 });
    await log.append(large(0, 8));
    const got = collect(log, 'published');
    await got.count(8);
    await vi.waitFor(async () => expect((await log.depth()).entries).toBe(0), WAIT);
    expect(log.kept()).toEqual({ entries: 8, bytes: 8_000 });
    await log.append(large(8, 2));
    expect(log.kept().entries).toBeLessThanOrEqual(10);
    expect(lines).toEqual([]);
    await log.append(large(10, 5));
    await got.count(15);
    expect(idsOf(got.received)).toEqual(idsOf(entries(0, 15)));
    expect(lines.filter((line) => line.includes('let go before they were read'))).toHaveLength(1);
    const held = await database.all<{ event_id: string }>('SELECT event_id FROM event_log_entries ORDER BY position');
    expect(held.at(-1)?.event_id).toBe('run:14');
    expect(held.length).toBeLessThanOrEqual(10);
    expect(log.cursor('consumed')).toBeGreaterThanOrEqual(5);
  });

  it('never makes what waits give way', async () => {
    const log = await openLog({ ...NAMES, maxBytes: 10_000 });
    await log.append(large(0, 10));
    await expect(log.append(large(10, 1))).rejects.toBeInstanceOf(EventLogFullError);
    const got = collect(log, 'published');
    await got.count(10);
    await vi.waitFor(() => log.append(large(10, 1)), WAIT);
    await got.count(11);
    expect(idsOf(got.received)).toEqual(idsOf(entries(0, 11)));
  });

  it('is counted right over rewinding and restarts', async () => {
    const scheduler = new VirtualTimeScheduler();
    scheduler.frame = 5_000;
    const log = await openLog({ ...NAMES, scheduler });
    await log.append(large(0, 10));
    log.advance('published', 6);
    await log.close();
    const again = await openLog({ ...NAMES, scheduler });
    expect(await again.depth()).toEqual({ entries: 4, bytes: 4_000, oldestMs: 5_000 });
    expect(again.kept()).toEqual({ entries: 6, bytes: 6_000 });
    await again.rewind('published', 2);
    await again.append(large(10, 1));
    expect(await again.depth()).toEqual({ entries: 9, bytes: 9_000, oldestMs: 5_000 });
    expect(again.kept()).toEqual({ entries: 2, bytes: 2_000 });
    const got = collect(again, 'published', { ack: false });
    await got.count(9);
    expect(idsOf(got.received)).toEqual(idsOf(entries(2, 9)));
  });
});

describe('a disk that takes no more', () => {
  it('is a full log to whoever appends; what is there stays whole, and it goes on once there is room', async () => {
    const log = await openLog({ durables: ['a'] });
    const before = await database.get<{ page_count: number }>('PRAGMA page_count');
    // SQLite's own bound gives the same error as a full disk: SQLITE_FULL.
    await database.exec(`PRAGMA max_page_count = ${(before?.page_count ?? 0) + 50}`);
    let appended = 0;
    const fill = async () => {
      for (;;) {
        await log.append(large(appended, 10));
        appended += 10;
      }
    };
    const error: unknown = await fill().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(EventLogFullError);
    expect(String(error)).toMatch(/the disk takes no more for the event log in .*sentry\.sqlite .*make room/);
    expect(appended).toBeGreaterThan(0);
    await expect(log.append(large(appended, 10))).rejects.toBeInstanceOf(EventLogFullError);
    expect((await database.get<{ quick_check: string }>('PRAGMA quick_check'))?.quick_check).toBe('ok');
    expect((await log.depth()).entries).toBe(appended);

    await database.exec('PRAGMA max_page_count = 1073741823');
    await log.append(large(appended, 10));
    const got = collect(log, 'a');
    await got.count(appended + 10);
    expect(idsOf(got.received)).toEqual(idsOf(entries(0, appended + 10)));
  });

  it('has room again once its reader has caught up, though nobody made any', async () => {
    const log = await openLog({ durables: ['a'] });
    const before = await database.get<{ page_count: number }>('PRAGMA page_count');
    await database.exec(`PRAGMA max_page_count = ${(before?.page_count ?? 0) + 50}`);
    let appended = 0;
    const next = async () => {
      await log.append(large(appended, 10));
      appended += 10;
    };
    await expect(
      (async () => {
        for (;;) await next();
      })(),
    ).rejects.toBeInstanceOf(EventLogFullError);
    const got = collect(log, 'a');
    await got.count(appended);
    await vi.waitFor(next, WAIT);
    await got.count(appended);
    expect(idsOf(got.received)).toEqual(idsOf(entries(0, appended)));
  });
});
