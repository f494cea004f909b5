import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { VirtualTimeScheduler } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EmbeddedEventLogOptions, embeddedEventLog } from '../../../../src/io/event-log/embedded/log.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { openSentryDatabase } from '../../../../src/io/storage/sentry/sentry-database.ts';
import { openSqlite, type SqliteDatabase } from '../../../../src/io/storage/sqlite/sqlite.ts';
import { EventLogFullError } from '../../../../src/streams/ports/event-log.ts';
import { collect, entries, entry, idsOf, WAIT } from '../../../support/event-log/contract.ts';
import { tempDir } from '../../../support/temp-dir.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
let lines: string[];
let cleanUp: (() => Promise<void>)[];

beforeEach(async () => {
  dir = await tempDir();
  lines = [];
  cleanUp = [dir.remove];
});

afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
});

async function openDatabase(): Promise<SqliteDatabase> {
  const database = await openSentryDatabase(dir.path);
  cleanUp.push(() => database.close());
  return database;
}

async function openLog(options: Partial<EmbeddedEventLogOptions> = {}, database?: SqliteDatabase) {
  const logger = createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) });
  const log = await embeddedEventLog(database ?? (await openDatabase()), { logger, ...options });
  cleanUp.push(() => log.close());
  return log;
}

/** What is on disk, seen over a connection of its own. */
async function onDisk<Row>(sql: string): Promise<Row[]> {
  const reader = await openSqlite(join(dir.path, 'sentry.sqlite'), { readOnly: true });
  try {
    return await reader.all<Row>(sql);
  } finally {
    await reader.close();
  }
}

describe('what is kept', () => {
  it('is everything while no reader is known', async () => {
    const log = await openLog();
    await log.append(entries(0, 10));
    expect((await log.depth()).entries).toBe(10);
    const got = collect(log, 'first');
    await got.count(10);
    expect(idsOf(got.received)).toEqual(idsOf(entries(0, 10)));
  });

  it('is what some reader has not acknowledged', async () => {
    const log = await openLog({ durables: ['a', 'b'] });
    await log.append(entries(0, 12_000));
    const a = collect(log, 'a');
    await a.count(12_000);
    const b = collect(log, 'b', { maxInFlight: 11_000, ack: false });
    await b.count(11_000);
    for (const delivery of b.received.slice(0, 10_990)) delivery.ack();
    await vi.waitFor(async () => expect((await log.depth()).entries).toBe(1010), WAIT);
    // What nobody waits for leaves the disk by and by.
    await vi.waitFor(async () => {
      const rows = await onDisk('SELECT event_id FROM event_log_entries ORDER BY position LIMIT 1');
      expect(rows).toEqual([{ event_id: 'run:10990' }]);
    }, WAIT);
  });

  it('is nothing of a reader that is no longer named', async () => {
    const database = await openDatabase();
    const before = await openLog({ durables: ['former'] }, database);
    await before.append(entries(0, 5));
    await before.close();
    const log = await openLog({ durables: ['a'] }, database);
    const got = collect(log, 'a');
    await got.count(5);
    await vi.waitFor(async () => expect((await log.depth()).entries).toBe(0), WAIT);
  });

  it('has a depth in entries, bytes and age that survives a restart', async () => {
    const scheduler = new VirtualTimeScheduler();
    scheduler.frame = 1_700_000_000_000;
    const database = await openDatabase();
    const before = await openLog({ scheduler }, database);
    expect(await before.depth()).toEqual({ entries: 0, bytes: 0, oldestMs: null });
    await before.append([{ ...entry(0), payload: new Uint8Array(100) }]);
    scheduler.frame += 5000;
    await before.append([{ ...entry(1), payload: new Uint8Array(50) }, entry(0)]);
    const depth = { entries: 2, bytes: 150, oldestMs: 1_700_000_000_000 };
    expect(await before.depth()).toEqual(depth);
    await before.close();
    expect(await (await openLog({}, database)).depth()).toEqual(depth);
  });
});

describe('the bound', () => {
  it.each([
    ['entries', { maxEntries: 10 }],
    ['bytes', { maxBytes: 10 * entry(1).payload.length }],
  ])('on %s makes append reject, and take entries again when there is room', async (_, bound) => {
    const log = await openLog({ durables: ['a'], ...bound });
    await log.append(entries(0, 8));
    await expect(log.append(entries(8, 3))).rejects.toBeInstanceOf(EventLogFullError);
    expect((await log.depth()).entries).toBe(8);
    await log.append(entries(8, 2));
    const got = collect(log, 'a');
    await got.count(10);
    await vi.waitFor(() => log.append(entries(10, 3)), WAIT);
    await got.count(13);
    expect(idsOf(got.received)).toEqual(idsOf(entries(0, 13)));
  });

  it('counts an event that is already there once', async () => {
    const log = await openLog({ maxEntries: 10 });
    await log.append(entries(0, 5));
    await log.append(entries(0, 5));
    expect((await log.depth()).entries).toBe(5);
  });
});

describe('acknowledgements', () => {
  async function acknowledged(database: SqliteDatabase) {
    const scheduler = new VirtualTimeScheduler();
    const log = await openLog({ durables: ['a', 'b'], scheduler }, database);
    await log.append(entries(0, 100));
    const got = collect(log, 'a', { ack: false });
    await got.count(100);
    return { log, got, scheduler };
  }
  const cursors = () => onDisk<{ name: string; cursor: number }>('SELECT name, cursor FROM event_log_durables');

  it('share a write', async () => {
    const database = await openDatabase();
    const { got, scheduler } = await acknowledged(database);
    const transaction = vi.spyOn(database, 'transaction');
    for (const delivery of got.received.slice(0, 90)) delivery.ack();
    expect(transaction).not.toHaveBeenCalled();
    scheduler.flush();
    await vi.waitFor(async () => expect((await cursors())[0]?.cursor).toBe(90), WAIT);
    expect(transaction).toHaveBeenCalledTimes(1);
  });

  it('are on disk once the log is closed', async () => {
    const { log, got } = await acknowledged(await openDatabase());
    for (const delivery of got.received.slice(0, 33)) delivery.ack();
    await log.close();
    expect(await cursors()).toEqual([
      { name: 'a', cursor: 33 },
      { name: 'b', cursor: 0 },
    ]);
  });

  it('are written later when they cannot be written now, and the log says so', async () => {
    const database = await openDatabase();
    const { got, scheduler } = await acknowledged(database);
    vi.spyOn(database, 'transaction').mockRejectedValueOnce(new Error('disk I/O error'));
    got.received[0]?.ack();
    scheduler.flush();
    await vi.waitFor(() => expect(lines.join()).toContain('disk I/O error'), WAIT);
    scheduler.flush();
    await vi.waitFor(async () => expect((await cursors())[0]?.cursor).toBe(1), WAIT);
  });
});

describe('its place', () => {
  it('is a database in which peers and settings live too', async () => {
    await openLog();
    const tables = await onDisk<{ name: string }>(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`,
    );
    expect(tables.map(({ name }) => name)).toEqual(['event_log_durables', 'event_log_entries', 'peers', 'settings']);
  });

  it('gives it an id that no other log has', async () => {
    const first = await openLog();
    const elsewhere = await tempDir();
    cleanUp.push(elsewhere.remove);
    const database = await openSentryDatabase(join(elsewhere.path, 'made', 'on', 'the', 'way'));
    cleanUp.push(() => database.close());
    const second = await openLog({}, database);
    expect(first.id).toMatch(/^embedded:[\w-]{12}$/);
    expect(second.id).not.toBe(first.id);
  });
});

it('has every entry it promised after a kill in the middle of appending', async () => {
  const child: ChildProcess = spawn(
    process.execPath,
    [join(import.meta.dirname, '../../../support/append-until-killed.ts'), dir.path],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  let promised = -1;
  if (child.stdout === null) throw new Error('no output to read');
  for await (const line of createInterface({ input: child.stdout })) {
    promised = Number(line);
    if (promised >= 1000) child.kill('SIGKILL');
  }
  await exited;
  expect(child.signalCode).toBe('SIGKILL');

  const log = await openLog({ durables: ['a'] });
  const { entries: held } = await log.depth();
  expect(held).toBeGreaterThan(promised);
  const got = collect(log, 'a');
  await got.count(held);
  expect(idsOf(got.received)).toEqual(Array.from({ length: held }, (_, sequence) => `run:${sequence}`));
  // At most the batch in hand is there without having been promised.
  expect(held - 1 - promised).toBeLessThanOrEqual(20);
});
