import { mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ValtrackEvent } from '../../../../src/consensus/events.ts';
import { fileSteps } from '../../../../src/io/storage/parquet/file-steps.ts';
import { partitionFiles } from '../../../../src/io/storage/parquet/partition-files.ts';
import { parquetReplacements } from '../../../../src/io/storage/parquet/replacements.ts';
import { rowsOf } from '../../../../src/io/storage/parquet/rows.ts';
import { parquetStaging } from '../../../../src/io/storage/parquet/staging.ts';
import { type ParquetUpkeep, parquetUpkeep, type UpkeepLimits } from '../../../../src/io/storage/parquet/upkeep.ts';
import { openTracker, type TrackerDatabase } from '../../../../src/io/storage/tracker/database.ts';
import { type DiskFaults, diskFaults, everyFault, type FaultPlan, NO_FAULT } from '../../../support/disk-faults.ts';
import { duckdb } from '../../../support/duckdb.ts';
import { observation } from '../../../support/events.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Events are of 2024-05-18 and 2024-05-19. */
const FIRST_DAY_MS = Date.UTC(2024, 4, 18);
const LONG_AFTER_MS = FIRST_DAY_MS + 100 * DAY_MS;
const FOR_EVER = Number.POSITIVE_INFINITY;
const NOTHING_DUE: UpkeepLimits = { keepAddressesMs: FOR_EVER, keepObservationsMs: FOR_EVER, mergeBytes: 1e9 };

let folder: Awaited<ReturnType<typeof tempDir>>;
let tracker: TrackerDatabase;
const signal = new AbortController().signal;

beforeEach(async () => {
  folder = await tempDir();
  tracker = await openTracker(folder.path);
});
afterEach(async () => {
  await tracker.close();
  await folder.remove();
});

const directory = () => join(folder.path, 'parquet');
const dayFolder = (date: string, table = 'metadata_events') => join(directory(), table, `date=${date}`);
const numbered = (from: number, count: number) => Array.from({ length: count }, (_, index) => `run:${from + index}`);

/** Writes events to files of two rows; their time of storing is that of the events. */
async function write(events: readonly ValtrackEvent[]): Promise<void> {
  const staging = parquetStaging(tracker.writer, tracker.reader);
  const files = partitionFiles({ directory: directory(), staging });
  await tracker.writer.transaction(() => staging.add(events.flatMap(rowsOf)));
  for (const { table, date } of await staging.partitions()) {
    for (;;) {
      const written = await files.writeOldest({ table, date }, 2);
      if (written === null) break;
      const storedAt = new Date(Date.parse(date) + HOUR_MS);
      await utimes(written.path, storedAt, storedAt);
    }
  }
}

/** Observations without metadata, so that they are rows of one table. */
function observed(ids: readonly string[], timestamp = FIRST_DAY_MS): ValtrackEvent[] {
  return ids.map((event_id) => ({
    subject: 'events.metadata_received',
    event: observation({ event_id, timestamp, metadata: null }),
  }));
}

function upkeepOf(limits: Partial<UpkeepLimits>, faults: DiskFaults = diskFaults(NO_FAULT)): ParquetUpkeep {
  const steps = faults.guardAll(fileSteps);
  const database = faults.database(tracker.writer);
  const replacements = parquetReplacements({ directory: directory(), database, steps });
  return parquetUpkeep({ directory: directory(), replacements, steps, ...NOTHING_DUE, ...limits });
}

async function rowsIn(table = 'metadata_events'): Promise<Record<string, unknown>[]> {
  return duckdb(`SELECT * FROM '${directory()}/${table}/*/*.parquet' ORDER BY event_id`);
}
const idsIn = async (table?: string) => (await rowsIn(table)).map((row) => row['event_id']);
const names = async (date: string) => (await readdir(dayFolder(date))).sort();

describe('merging', () => {
  it('makes one file of the small ones of a past day, with the same rows', async () => {
    await write(observed(numbered(0, 7)));
    await write(observed(numbered(7, 3), FIRST_DAY_MS + DAY_MS));
    const before = await rowsIn();
    expect(await names('2024-05-18')).toHaveLength(4);
    const upkeep = upkeepOf({});
    await upkeep.pass(LONG_AFTER_MS, signal);
    expect(await names('2024-05-18')).toEqual(['000000000000001-000000000000007.parquet']);
    expect(await names('2024-05-19')).toEqual(['000000000000008-000000000000010.parquet']);
    expect(await rowsIn()).toEqual(before);
    expect(upkeep.counts()).toEqual({ merged: 6, mergedInto: 2, anonymised: 0, dropped: 0 });
    await upkeep.pass(LONG_AFTER_MS, signal);
    expect(upkeep.counts().mergedInto).toBe(2);
    expect(await tracker.reader.all('SELECT * FROM parquet_replacements')).toEqual([]);
  });

  it('changes no value of any table', async () => {
    const events: ValtrackEvent[] = [
      { custody_group_count: 4, direction: 'inbound' as const, slot: 2 ** 40 },
      { metadata: null, subscribed_subnets: [], enr: '' },
      { subscribed_subnets: [0, 0, 63], client_version: 'péer-🦋', multiaddr: '' },
      { metadata: { seq_number: Number.MAX_SAFE_INTEGER, attnets: new Uint8Array(8), syncnets: new Uint8Array(1) } },
      { epoch: -5, transport: 'quic' as const, observed_from: 1, observed_to: 2, fork_digest: 'ab' },
    ].map((fields, index) => ({
      subject: 'events.metadata_received',
      event: observation({ event_id: `run:${index}`, timestamp: FIRST_DAY_MS, ...fields }),
    }));
    await write([
      ...events,
      ...['a', 'b', 'c'].map(
        (event_id, index): ValtrackEvent => ({
          subject: 'events.peer_discovered',
          event: {
            enr: 'enr:-a',
            id: 'p',
            ip: index === 0 ? '' : '::1',
            port: 9,
            crawler_id: '',
            crawler_location: 'x',
            timestamp: FIRST_DAY_MS,
            event_id,
          },
        }),
      ),
    ]);
    const tables = ['discovery_events', 'metadata_events', 'validator_metadata_events'];
    const before = await Promise.all(tables.map(rowsIn));
    expect(before.map((rows) => rows.length)).toEqual([3, 5, 4]);
    const upkeep = upkeepOf({});
    await upkeep.pass(LONG_AFTER_MS, signal);
    expect(upkeep.counts().mergedInto).toBe(3);
    expect(await Promise.all(tables.map(rowsIn))).toEqual(before);
  });

  it('leaves today alone, and a day into which something came within the hour', async () => {
    await write(observed(numbered(0, 4)));
    const upkeep = upkeepOf({});
    await upkeep.pass(FIRST_DAY_MS + 23 * HOUR_MS, signal);
    const [late] = await names('2024-05-18');
    const minutesAgo = new Date(LONG_AFTER_MS - 59 * 60_000);
    await utimes(join(dayFolder('2024-05-18'), String(late)), minutesAgo, minutesAgo);
    await upkeep.pass(LONG_AFTER_MS, signal);
    expect(upkeep.counts().merged).toBe(0);
  });

  it('goes no further than the size it is told, and leaves large files alone', async () => {
    await write(observed(numbered(0, 12)));
    const sizes = await Promise.all(
      (await names('2024-05-18')).map(async (name) => (await stat(join(dayFolder('2024-05-18'), name))).size),
    );
    const largest = Math.max(...sizes);
    await upkeepOf({ mergeBytes: 3 * largest }).pass(LONG_AFTER_MS, signal);
    expect(await names('2024-05-18')).toEqual([
      '000000000000001-000000000000006.parquet',
      '000000000000007-000000000000012.parquet',
    ]);
    await upkeepOf({ mergeBytes: largest }).pass(LONG_AFTER_MS, signal);
    expect(await names('2024-05-18')).toHaveLength(2);
    expect(await idsIn()).toEqual(numbered(0, 12).sort());
  });

  it('keeps the time of the newest row, and merges nothing that was stored days apart', async () => {
    await write(observed(numbered(0, 6)));
    const files = await names('2024-05-18');
    for (const [index, hours] of [1, 20, 60].entries()) {
      const at = new Date(FIRST_DAY_MS + hours * HOUR_MS);
      await utimes(join(dayFolder('2024-05-18'), String(files[index])), at, at);
    }
    await upkeepOf({}).pass(LONG_AFTER_MS, signal);
    const [merged, apart] = await names('2024-05-18');
    expect(apart).toBe('000000000000005-000000000000006.parquet');
    const { mtimeMs } = await stat(join(dayFolder('2024-05-18'), String(merged)));
    expect(mtimeMs).toBe(FIRST_DAY_MS + 20 * HOUR_MS);
  });

  it('makes nothing younger by more than a day, though something late comes every day', async () => {
    const upkeep = upkeepOf({ keepAddressesMs: 90 * DAY_MS });
    const EVERY_MS = 20 * HOUR_MS;
    for (let round = 0; round < 120; round++) {
      await write(observed(numbered(round, 1)));
      const newest = (await names('2024-05-18')).find((name) => name.includes(`${round + 1}.parquet`)) ?? '';
      const storedAt = new Date(FIRST_DAY_MS + round * EVERY_MS);
      await utimes(join(dayFolder('2024-05-18'), newest), storedAt, storedAt);
      await upkeep.pass(storedAt.getTime() + 2 * HOUR_MS, signal);
    }
    const nowMs = FIRST_DAY_MS + 119 * EVERY_MS;
    for (const { event_id, multiaddr } of await rowsIn()) {
      const ageMs = nowMs - (FIRST_DAY_MS + Number(String(event_id).split(':')[1]) * EVERY_MS);
      if (ageMs > 92 * DAY_MS) expect(multiaddr, String(event_id)).toBe('');
      if (ageMs < 89 * DAY_MS) expect(multiaddr, String(event_id)).not.toBe('');
    }
  });

  it('is not stopped by a file that cannot be read: the others have their turn, and it is named', async () => {
    await write(observed(numbered(0, 4)));
    await write(observed(numbered(4, 4), FIRST_DAY_MS + DAY_MS));
    const broken = join(dayFolder('2024-05-18'), '000000000000099-000000000000099.parquet');
    await writeFile(broken, 'PAR1 and nothing more');
    const yesterday = new Date(FIRST_DAY_MS + HOUR_MS);
    await utimes(broken, yesterday, yesterday);
    await expect(upkeepOf({}).pass(LONG_AFTER_MS, signal)).rejects.toThrow(/Parquet|parquet/);
    expect(await names('2024-05-19')).toHaveLength(1);
    expect((await names('2024-05-18')).filter((name) => name !== '000000000000099-000000000000099.parquet')).toEqual([
      '000000000000001-000000000000002.parquet',
      '000000000000003-000000000000004.parquet',
    ]);
  });

  it('ends when it is told, leaving what there was', async () => {
    await write(observed(numbered(0, 6)));
    const before = await names('2024-05-18');
    const stopping = new AbortController();
    const steps = {
      ...fileSteps,
      write: (...args: Parameters<typeof fileSteps.write>) => {
        stopping.abort();
        return fileSteps.write(...args);
      },
    };
    const replacements = parquetReplacements({ directory: directory(), database: tracker.writer, steps });
    const upkeep = parquetUpkeep({ directory: directory(), replacements, ...NOTHING_DUE });
    await expect(upkeep.pass(LONG_AFTER_MS, stopping.signal)).rejects.toThrow(/abort/);
    expect(await names('2024-05-18')).toEqual(before);
  });
});

describe('old files', () => {
  it('lose what tells where nodes were, and nothing else', async () => {
    await write(observed(numbered(0, 3)));
    const before = await rowsIn();
    const keepAddressesMs = 90 * DAY_MS;
    const upkeep = upkeepOf({ keepAddressesMs, mergeBytes: 0 });
    await upkeep.pass(FIRST_DAY_MS + HOUR_MS + keepAddressesMs - 1, signal);
    expect(await rowsIn()).toEqual(before);
    await upkeep.pass(FIRST_DAY_MS + HOUR_MS + keepAddressesMs + 1, signal);
    expect(await rowsIn()).toEqual(before.map((row) => ({ ...row, enr: '', multiaddr: '' })));
    expect(await names('2024-05-18')).toEqual([
      '000000000000001-000000000000002.without-addresses.parquet',
      '000000000000003-000000000000003.without-addresses.parquet',
    ]);
    await upkeep.pass(LONG_AFTER_MS, signal);
    expect(upkeep.counts()).toMatchObject({ anonymised: 2, merged: 0 });
  });

  it('lose the address of discoveries', async () => {
    await write([
      {
        subject: 'events.peer_discovered',
        event: {
          enr: 'enr:-a',
          id: 'p',
          ip: '1.2.3.4',
          port: 9000,
          crawler_id: 'c',
          crawler_location: 'x',
          timestamp: FIRST_DAY_MS,
          event_id: 'd',
        },
      },
    ]);
    const [before] = await rowsIn('discovery_events');
    await upkeepOf({ keepAddressesMs: DAY_MS }).pass(LONG_AFTER_MS, signal);
    expect(await rowsIn('discovery_events')).toEqual([{ ...before, enr: '', ip: '', port: 0 }]);
  });

  it('are removed when observations are not kept for ever', async () => {
    await write(observed(numbered(0, 3)));
    await write(observed(numbered(3, 3), FIRST_DAY_MS + 2 * DAY_MS));
    const upkeep = upkeepOf({ keepObservationsMs: 10 * DAY_MS });
    await upkeep.pass(FIRST_DAY_MS + 11 * DAY_MS, signal);
    expect(await idsIn()).toEqual(numbered(3, 3));
    expect(upkeep.counts().dropped).toBe(2);
  });
});

describe('wherever it is interrupted', () => {
  /** Two files of one day to be merged, two of another whose addresses go, and one of a third that is removed. */
  const LIMITS = { keepAddressesMs: 50 * DAY_MS, keepObservationsMs: 80 * DAY_MS };
  const NOW_MS = FIRST_DAY_MS + 100 * DAY_MS;
  async function prepare(): Promise<void> {
    await write(observed(numbered(0, 1)));
    await write(observed(numbered(1, 3), FIRST_DAY_MS + 30 * DAY_MS));
    await write(observed(numbered(4, 3), FIRST_DAY_MS + 60 * DAY_MS));
  }
  const EXPECTED = numbered(1, 6).map((event_id, index) => ({ event_id, enr: index < 3 ? '' : 'enr:-x' }));
  const figures = async () => (await rowsIn()).map(({ event_id, enr }) => ({ event_id, enr }));

  async function attempt(plan: FaultPlan): Promise<{ calls: number; hasStruck: boolean }> {
    const faults = diskFaults(plan);
    await upkeepOf(LIMITS, faults)
      .pass(NOW_MS, signal)
      .catch((error: Error) => expect(error.message).toBe('injected fault'));
    return faults;
  }

  it('it neither loses nor repeats a row, nor leaves a broken file or an address', async () => {
    await prepare();
    const { calls } = await attempt(NO_FAULT);
    expect(await figures()).toEqual(EXPECTED);
    // Two replacements of two files each: write, stamp, sync; note; publish, sync; remove, remove, sync; forget. A note is
    // a transaction and a statement. Then a removal and its sync.
    expect(calls).toBe(2 * (3 + 2 + 2 + 3 + 2) + 2);

    for (const plan of everyFault(calls, ['for good'])) {
      const told = JSON.stringify(plan);
      await tracker.close();
      await rm(folder.path, { recursive: true });
      await mkdir(folder.path);
      tracker = await openTracker(folder.path);
      await prepare();
      expect((await attempt(plan)).hasStruck, told).toBe(true);
      // At no time does a reader miss a row that is to stay, or meet a file it cannot read.
      expect(await idsIn(), told).toEqual(expect.arrayContaining(numbered(1, 6)));

      await tracker.close();
      tracker = await openTracker(folder.path);
      await parquetReplacements({ directory: directory(), database: tracker.writer }).recover();
      const recovered = (await idsIn()).filter((id) => id !== 'run:0');
      expect(recovered, told).toEqual(numbered(1, 6));
      await upkeepOf(LIMITS).pass(NOW_MS, signal);
      expect(await figures(), told).toEqual(EXPECTED);
      const left = (await readdir(directory(), { recursive: true })).filter((name) => /\/\./.test(name));
      expect(left, told).toEqual([]);
      expect(await tracker.reader.all('SELECT * FROM parquet_replacements'), told).toEqual([]);
    }
  });
});
