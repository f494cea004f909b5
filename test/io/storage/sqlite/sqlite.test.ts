import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Migration } from '../../../../src/io/storage/sqlite/migrate.ts';
import {
  DatabaseError,
  type OpenOptions,
  openSqlite,
  type SqliteDatabase,
} from '../../../../src/io/storage/sqlite/sqlite.ts';
import { tempDir } from '../../../support/temp-dir.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
let path: string;
const opened: SqliteDatabase[] = [];

beforeEach(async () => {
  dir = await tempDir();
  path = join(dir.path, 'test.sqlite');
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((database) => database.close()));
  await dir.remove();
});

async function open(options?: OpenOptions): Promise<SqliteDatabase> {
  const database = await openSqlite(path, options);
  opened.push(database);
  return database;
}

async function closed(database: SqliteDatabase): Promise<void> {
  opened.splice(opened.indexOf(database), 1);
  await database.close();
}

const NUMBERS: Migration = { name: 'numbers', sql: 'CREATE TABLE numbers (n INTEGER)' };
const TEXTS: Migration = { name: 'texts', sql: "CREATE TABLE texts (t TEXT); INSERT INTO texts VALUES ('first')" };
const numbersIn = async (database: SqliteDatabase) =>
  (await database.all<{ n: number }>('SELECT n FROM numbers ORDER BY rowid')).map(({ n }) => n);

describe('statements', () => {
  it('take and give every kind of value', async () => {
    const database = await open();
    await database.exec('CREATE TABLE v (a, b, c, d, e)');
    const blob = Uint8Array.of(0, 255, 7);
    const { changes, lastId } = await database.run(
      'INSERT INTO v VALUES (?, ?, ?, ?, ?)',
      'naïve',
      1.5,
      2 ** 40,
      blob,
      null,
    );
    expect([changes, lastId]).toEqual([1, 1]);
    const row = await database.get<Record<string, unknown>>('SELECT * FROM v');
    expect(row).toEqual({ a: 'naïve', b: 1.5, c: 2 ** 40, d: Buffer.from(blob), e: null });
    expect(await database.get('SELECT * FROM v WHERE a = ?', 'nobody')).toBeUndefined();
    expect(await database.all('SELECT * FROM v WHERE a = ?', 'nobody')).toEqual([]);
  });

  it('bring text back as it was', async () => {
    const database = await open();
    await database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT)');
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (text) => {
        const { lastId } = await database.run('INSERT INTO t (value) VALUES (?)', text);
        expect(await database.get('SELECT value FROM t WHERE id = ?', lastId)).toEqual({ value: text });
      }),
      { numRuns: 50 },
    );
  });

  it('that are wrong reject, and the next one works', async () => {
    const database = await open({ migrations: [NUMBERS] });
    await expect(database.run('INSERT INTO nowhere VALUES (1)')).rejects.toThrow(/no such table/);
    await expect(database.all('SELEKT')).rejects.toThrow(/syntax error/);
    await expect(database.exec('SELECT 1; SELEKT 2')).rejects.toThrow(/syntax error/);
    await database.run('INSERT INTO numbers VALUES (1)');
    expect(await numbersIn(database)).toEqual([1]);
  });
});

describe('transactions', () => {
  it('of one connection wait for each other, in order', async () => {
    const database = await open({ migrations: [NUMBERS] });
    const running = new Set<number>();
    let mostAtOnce = 0;
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        database.transaction(async () => {
          running.add(index);
          mostAtOnce = Math.max(mostAtOnce, running.size);
          await database.run('INSERT INTO numbers VALUES (?)', index);
          await database.run('INSERT INTO numbers VALUES (?)', index);
          running.delete(index);
          return index;
        }),
      ),
    );
    expect(mostAtOnce).toBe(1);
    expect(results).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(await numbersIn(database)).toEqual(Array.from({ length: 40 }, (_, index) => index >> 1));
  });

  it.each([
    ['the work throws', async () => Promise.reject(new Error('no'))],
    ['a statement fails', (database: SqliteDatabase) => database.run('INSERT INTO nowhere VALUES (1)')],
    ['the work ends the transaction itself', (database: SqliteDatabase) => database.exec('ROLLBACK')],
  ])('roll back when %s, and the next one works', async (_, fail) => {
    const database = await open({ migrations: [NUMBERS] });
    const failing = database.transaction(async () => {
      await database.run('INSERT INTO numbers VALUES (1)');
      await fail(database);
    });
    const next = database.transaction(() => database.run('INSERT INTO numbers VALUES (2)'));
    await expect(failing).rejects.toThrow();
    await next;
    expect(await numbersIn(database)).toEqual([2]);
  });

  it('are waited for by close', async () => {
    const database = await open({ migrations: [NUMBERS] });
    const writing = database.transaction(async () => {
      for (let n = 0; n < 50; n++) await database.run('INSERT INTO numbers VALUES (?)', n);
    });
    await closed(database);
    await writing;
    expect(await numbersIn(await open({ migrations: [NUMBERS] }))).toHaveLength(50);
  });

  it('of two connections wait for each other', async () => {
    const [first, second] = [await open({ migrations: [NUMBERS] }), await open({ migrations: [NUMBERS] })];
    const inside = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    const holding = first.transaction(async () => {
      await first.run('INSERT INTO numbers VALUES (1)');
      inside.resolve();
      await leave.promise;
    });
    await inside.promise;
    const waiting = second.transaction(() => second.run('INSERT INTO numbers VALUES (2)'));
    expect(await numbersIn(second)).toEqual([]);
    leave.resolve();
    await Promise.all([holding, waiting]);
    expect(await numbersIn(second)).toEqual([1, 2]);
  });

  it('that find the database locked for too long reject, and work again later', async () => {
    const [first, second] = [await open({ migrations: [NUMBERS] }), await open({ migrations: [NUMBERS] })];
    await second.exec('PRAGMA busy_timeout = 50');
    await first.transaction(async () => {
      await expect(second.transaction(() => second.run('INSERT INTO numbers VALUES (2)'))).rejects.toMatchObject({
        code: 'SQLITE_BUSY',
      });
    });
    await second.transaction(() => second.run('INSERT INTO numbers VALUES (3)'));
    expect(await numbersIn(first)).toEqual([3]);
  });
});

describe('opening', () => {
  it('syncs every commit to the write-ahead log unless told otherwise', async () => {
    const full = await open();
    expect(await full.get('PRAGMA journal_mode')).toEqual({ journal_mode: 'wal' });
    expect(await full.get('PRAGMA synchronous')).toEqual({ synchronous: 2 });
    expect(await full.get('PRAGMA foreign_keys')).toEqual({ foreign_keys: 1 });
    expect(await (await open({ synchronous: 'NORMAL' })).get('PRAGMA synchronous')).toEqual({ synchronous: 1 });
  });

  it('brings the schema forward step by step, each once', async () => {
    await closed(await open({ migrations: [NUMBERS] }));
    for (let time = 0; time < 2; time++) {
      const database = await open({ migrations: [NUMBERS, TEXTS] });
      expect(await database.all('SELECT t FROM texts')).toEqual([{ t: 'first' }]);
      expect(await database.get('PRAGMA user_version')).toEqual({ user_version: 2 });
      await closed(database);
    }
  });

  it('leaves nothing of a step that fails, and keeps the steps before it', async () => {
    const broken: Migration = { name: 'broken', sql: 'CREATE TABLE half (x); CREATE TABEL other (y)' };
    await expect(openSqlite(path, { migrations: [NUMBERS, broken] })).rejects.toThrow(DatabaseError);
    const database = await open({ migrations: [NUMBERS] });
    expect(await database.get('PRAGMA user_version')).toEqual({ user_version: 1 });
    expect(await database.all("SELECT name FROM sqlite_master WHERE name = 'half'")).toEqual([]);
  });

  it('refuses a newer schema in one line', async () => {
    await closed(await open({ migrations: [NUMBERS, TEXTS] }));
    await expect(openSqlite(path, { migrations: [NUMBERS] })).rejects.toThrow(
      new DatabaseError(`${path} has schema version 2, newer than this program's 1; use a newer valtrack`),
    );
  });

  it.each([
    ['of text', async () => Buffer.from('this is no database, but it is long enough to be looked at. '.repeat(200))],
    [
      'with a damaged page',
      async () => {
        const database = await openSqlite(path, { migrations: [NUMBERS] });
        await database.run(
          'INSERT INTO numbers WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 5000) SELECT n FROM c',
        );
        await database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
        await database.close();
        return (await readFile(path)).fill(0x5a, 8_192, 16_384);
      },
    ],
    [
      'that is cut',
      async () => {
        const database = await openSqlite(path, { migrations: [NUMBERS] });
        await database.run(
          'INSERT INTO numbers WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 5000) SELECT n FROM c',
        );
        await database.close();
        return (await readFile(path)).subarray(0, 9_000);
      },
    ],
  ])('refuses a file %s in one line that names it', async (_, content) => {
    await writeFile(path, await content());
    const refusal = await openSqlite(path, { migrations: [NUMBERS] }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DatabaseError);
    expect((refusal as Error).message).toMatch(/^\S+test\.sqlite .*move it away or restore a copy$/);
  });

  it('refuses a folder that is not there, and a folder in place of the file', async () => {
    await expect(openSqlite(join(dir.path, 'no', 'x.sqlite'))).rejects.toThrow(/cannot be opened .*folder exists/);
    await expect(openSqlite(dir.path)).rejects.toThrow(DatabaseError);
  });

  it('read-only reads and never writes', async () => {
    const writer = await open({ migrations: [NUMBERS] });
    await writer.run('INSERT INTO numbers VALUES (1)');
    const reader = await open({ readOnly: true, migrations: [NUMBERS, TEXTS] });
    expect(await numbersIn(reader)).toEqual([1]);
    await writer.run('INSERT INTO numbers VALUES (2)');
    expect(await numbersIn(reader)).toEqual([1, 2]);
    await expect(reader.run('INSERT INTO numbers VALUES (3)')).rejects.toMatchObject({ code: 'SQLITE_READONLY' });
    await expect(openSqlite(join(dir.path, 'none.sqlite'), { readOnly: true })).rejects.toThrow(DatabaseError);
  });

  it('reads a file that nobody writes without a lock or a log beside it, whatever its name', async () => {
    path = join(dir.path, 'a?b#c %41.sqlite');
    const writer = await open({ migrations: [NUMBERS] });
    await writer.run('INSERT INTO numbers VALUES (7)');
    await closed(writer);
    const reader = await open({ immutable: true });
    expect(await numbersIn(reader)).toEqual([7]);
    expect(await readdir(dir.path)).toEqual(['a?b#c %41.sqlite']);
    await expect(reader.run('INSERT INTO numbers VALUES (8)')).rejects.toThrow('READONLY');
  });
});
