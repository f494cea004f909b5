import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { diskSteps } from '../../../../src/io/storage/files/disk-steps.ts';
import { openSentryDatabase, SENTRY_MIGRATIONS } from '../../../../src/io/storage/sentry/sentry-database.ts';
import { type Migration, migrate } from '../../../../src/io/storage/sqlite/migrate.ts';
import { DatabaseError, openSqlite, type SqliteDatabase } from '../../../../src/io/storage/sqlite/sqlite.ts';
import { openTracker } from '../../../../src/io/storage/tracker/database.ts';
import { TRACKER_FILE, TRACKER_MIGRATIONS } from '../../../../src/io/storage/tracker/schema.ts';
import { diskFaults, everyFault, type FaultPlan, NO_FAULT } from '../../../support/disk-faults.ts';
import { tempDir } from '../../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;

beforeEach(async () => {
  folder = await tempDir();
});
afterEach(() => folder.remove());

const at = (name: string) => join(folder.path, name);
const quiet = () => {};

/** What a database of each version holds; from a version on, statements that fill what it brought. */
const TRACKER_ROWS: readonly string[] = [
  `INSERT INTO validator_tracker (peer_id, enr, multiaddr, ip, port, last_seen, possible_validator, max_validator_count,
     num_observations, country, first_seen) VALUES ('p', 'enr:-p', '/ip4/1.2.3.4/tcp/9', '1.2.3.4', 9, 5, 1, 7, 3, 'CH', 4);
   INSERT INTO fact_stamps VALUES ('p', '{"enr":[5,"run:2"],"address":[5,"run:2"]}');
   INSERT INTO validator_estimates VALUES ('p', 'published', 7, 7, NULL, 3, 5);
   INSERT INTO applied_ranges VALUES ('run', 0, 2); INSERT INTO applied_events VALUES ('foreign', 5);
   INSERT INTO log_positions VALUES ('log', 3);
   INSERT INTO dead_letters (log, position, event_id, subject, reason, payload, payload_bytes, received_ms)
     VALUES ('log', 2, 'bad', 'events.x', 'why', x'00ff', 2, 5);
   INSERT INTO parquet_staging (table_name, date, row) VALUES ('metadata_events', '2024-05-18', '{}');
   DELETE FROM parquet_staging;
   INSERT INTO parquet_staging (table_name, date, row) VALUES ('metadata_events', '2024-05-18', '{}')`,
  `INSERT INTO estimator_states VALUES ('p', x'01');
   INSERT INTO validator_history VALUES ('2024-05-18', 'p', 7, 6, 8, 192, 256, 7, 3)`,
  `INSERT INTO locations (ip, country, sources, data_version, located_ms) VALUES ('1.2.3.4', 'CH', 'x', 'v', 5)`,
];
const SENTRY_ROWS: readonly string[] = [
  `INSERT INTO event_log_entries (event_id, subject, payload, appended_ms) VALUES ('run:0', 'events.x', x'00', 5);
   INSERT INTO event_log_durables (name, cursor) VALUES ('c', 0)`,
  `INSERT INTO peers VALUES ('p', '{}', 5)`,
  `INSERT INTO settings VALUES ('k', 'v')`,
];

/** Makes a database as a program of that version left it. */
async function makeOld(file: string, migrations: readonly Migration[], rows: readonly string[], version: number) {
  const old = await openSqlite(at(file), { migrations: migrations.slice(0, version) });
  for (const sql of rows.slice(0, version)) await old.exec(sql);
  const content = await contentOf(old);
  await old.close();
  return content;
}

/** Every table with its rows, and only the columns that are named, if any are. */
async function contentOf(database: SqliteDatabase, like?: Readonly<Record<string, Record<string, unknown>[]>>) {
  const tables = await database.all<{ name: string }>(
    `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`,
  );
  const content: Record<string, Record<string, unknown>[]> = {};
  for (const { name } of tables.filter((table) => like === undefined || table.name in like)) {
    const columns = like?.[name]?.[0] === undefined ? '*' : Object.keys(like[name][0]).join(', ');
    content[name] = await database.all(`SELECT ${columns} FROM ${name}`);
  }
  return content;
}

const backups = async () => (await readdir(folder.path)).filter((name) => name.includes('.backup-')).sort();
const versionOf = async (database: SqliteDatabase) =>
  (await database.get<{ user_version: number }>('PRAGMA user_version'))?.user_version;

describe('released steps', () => {
  it.each([
    ['validator_tracker.sqlite', TRACKER_MIGRATIONS, ['025c', 'e86b', 'dfa9', '0a52']],
    ['sentry.sqlite', SENTRY_MIGRATIONS, ['ff13', 'ecec', '9a00']],
  ])("of %s are what they were: what is on other people's disks cannot be changed", (_, migrations, hashes) => {
    const of = ({ sql }: Migration) =>
      createHash('sha256').update(sql.replaceAll(/\s+/g, ' ').trim()).digest('hex').slice(0, 4);
    expect(migrations.slice(0, hashes.length).map(of)).toEqual(hashes);
  });
});

describe.each([
  { file: TRACKER_FILE, migrations: TRACKER_MIGRATIONS, rows: TRACKER_ROWS },
  { file: 'sentry.sqlite', migrations: SENTRY_MIGRATIONS, rows: SENTRY_ROWS },
])('$file', ({ file, migrations, rows }) => {
  const openCurrent = async () => {
    if (file === TRACKER_FILE) {
      const { writer, close } = await openTracker(folder.path);
      return { ...writer, close };
    }
    return openSentryDatabase(folder.path);
  };

  const versions = Array.from({ length: migrations.length - 1 }, (_, index) => index + 1);

  it.each(versions)('of version %i comes forward with every row, and is copied first', async (version) => {
    const before = await makeOld(file, migrations, rows, version);
    const database = await openCurrent();
    expect(await versionOf(database)).toBe(migrations.length);
    expect(await contentOf(database, before)).toEqual(before);
    await database.close();

    expect(await backups()).toEqual([`${file}.backup-v${version}`]);
    const copy = await openSqlite(at(`${file}.backup-v${version}`), { readOnly: true });
    expect(await versionOf(copy)).toBe(version);
    expect(await contentOf(copy)).toEqual(before);
    await copy.close();
  });

  it('is not copied when it is new, and not again once it is current', async () => {
    for (let start = 0; start < 2; start++) await (await openCurrent()).close();
    expect(await backups()).toEqual([]);
  });

  it('neither loses a row nor its copy wherever its coming forward is interrupted', async () => {
    const attempt = async (plan: FaultPlan) => {
      const faults = diskFaults(plan);
      const database = await openSqlite(at(file));
      const failure = await migrate(faults.database(database), migrations, quiet, faults.guardAll(diskSteps)).catch(
        (error: unknown) => error,
      );
      await database.close();
      return { calls: faults.calls, failure };
    };
    await makeOld(file, migrations, rows, 1);
    const { calls, failure } = await attempt(NO_FAULT);
    expect(failure).toBeUndefined();
    // Remove, copy, sync, publish, sync; then a transaction of two statements for each step.
    expect(calls).toBe(5 + 3 * (migrations.length - 1));

    for (const plan of everyFault(calls, ['for good'])) {
      await folder.remove();
      await mkdir(folder.path);
      const before = await makeOld(file, migrations, rows, 1);
      const { failure: interrupted } = await attempt(plan);
      expect(interrupted, JSON.stringify(plan)).toBeInstanceOf(Error);
      const database = await openCurrent();
      expect(await versionOf(database), JSON.stringify(plan)).toBe(migrations.length);
      expect(await contentOf(database, before), JSON.stringify(plan)).toEqual(before);
      await database.close();
      const names = await backups();
      expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([]);
      expect(names.length === 1 || names.length === 2, names.join()).toBe(true);
      const copy = await openSqlite(at(`${file}.backup-v1`), { readOnly: true });
      expect(await contentOf(copy), JSON.stringify(plan)).toEqual(before);
      await copy.close();
    }
  });
});

describe('the copy', () => {
  const STEPS: readonly Migration[] = ['a', 'b', 'c', 'd', 'e'].map((name) => ({
    name,
    sql: `CREATE TABLE ${name} (n INTEGER); INSERT INTO ${name} VALUES (1)`,
  }));
  const openAt = (version: number) => openSqlite(at('x.sqlite'), { migrations: STEPS.slice(0, version) });

  it('of a disk that is full says so in one line, and changes nothing', async () => {
    await (await openAt(1)).close();
    const database = await openSqlite(at('x.sqlite'));
    const full = async (sql: string, ...values: never[]) => {
      if (!sql.startsWith('VACUUM')) return database.run(sql, ...values);
      await writeFile(at('x.sqlite.backup-v1.tmp'), 'half of it');
      throw new Error('SQLITE_FULL: database or disk is full');
    };
    const failure = await migrate({ ...database, run: full as SqliteDatabase['run'] }, STEPS, quiet).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(DatabaseError);
    expect((failure as Error).message).toMatch(
      /x\.sqlite could not be copied .*disk is full.* room for 1 MB\. Nothing/,
    );
    expect((failure as Error).message).not.toContain('\n');
    expect(await versionOf(database)).toBe(1);
    await database.close();
    expect(await backups()).toEqual([]);
  });

  it('is made again, under another name, of what was written after it', async () => {
    await (await openAt(1)).close();
    await (await openAt(2)).close();
    // The user goes back to the copy, and an old program writes to it.
    await rm(at('x.sqlite'));
    const old = await openAt(1);
    await old.run('INSERT INTO a VALUES (2)');
    await old.close();
    const past = new Date(Date.now() - 60_000);
    await utimes(at('x.sqlite.backup-v1'), past, past);
    await (await openAt(2)).close();
    expect(await backups()).toEqual(['x.sqlite.backup-v1', 'x.sqlite.backup-v1-2']);
    const copy = await openSqlite(at('x.sqlite.backup-v1-2'), { readOnly: true });
    expect(await copy.all('SELECT n FROM a')).toEqual([{ n: 1 }, { n: 2 }]);
    await copy.close();
  });

  it('is kept of the newest two', async () => {
    for (const version of [1, 2, 3, 4, 5]) {
      await (await openAt(version)).close();
      // Copies of the same millisecond have no order.
      for (const [index, name] of (await backups()).entries()) {
        const then = new Date(Date.now() - 100_000 + 1_000 * (version + index));
        await utimes(at(name), then, then);
      }
    }
    expect(await backups()).toEqual(['x.sqlite.backup-v3', 'x.sqlite.backup-v4']);
  });
});
