import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MetadataReceivedEvent } from '../../../../src/consensus/events.ts';
import { type FileSteps, fileSteps } from '../../../../src/io/storage/parquet/file-steps.ts';
import { type PartitionFiles, partitionFiles } from '../../../../src/io/storage/parquet/partition-files.ts';
import { rowsOf } from '../../../../src/io/storage/parquet/rows.ts';
import { type Partition, parquetStaging, type Staging } from '../../../../src/io/storage/parquet/staging.ts';
import { openTracker, type TrackerDatabase } from '../../../../src/io/storage/tracker/database.ts';
import { duckdb } from '../../../support/duckdb.ts';
import { observation } from '../../../support/events.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const DAY_MS = 86_400_000;
let folder: Awaited<ReturnType<typeof tempDir>>;
let tracker: TrackerDatabase;
let staging: Staging;

beforeEach(async () => {
  folder = await tempDir();
  await open();
});
afterEach(async () => {
  await tracker.close();
  await folder.remove();
});

async function open(): Promise<void> {
  tracker = await openTracker(folder.path);
  staging = parquetStaging(tracker.writer, tracker.reader);
}

const parquetDir = () => join(folder.path, 'parquet');

/** Stages observations of two days in turns, so that each partition's positions have gaps. */
async function stage(firstNumber: number, count: number, fields: Partial<MetadataReceivedEvent> = {}): Promise<void> {
  const events = Array.from({ length: count }, (_, index) =>
    observation({
      event_id: `run:${firstNumber + index}`,
      timestamp: 1_716_000_000_000 + (index % 2) * DAY_MS,
      ...fields,
    }),
  );
  const rows = events.flatMap((event) => rowsOf({ subject: 'events.metadata_received', event }));
  await tracker.writer.transaction(() => staging.add(rows));
}

async function writeAll(files: PartitionFiles, maxRows = 3): Promise<void> {
  for (const { table, date } of await staging.partitions()) {
    const partition: Partition = { table, date };
    while ((await files.writeOldest(partition, maxRows)) !== null);
  }
}

async function eventIdsIn(table: string): Promise<string[]> {
  const rows = await duckdb(`SELECT event_id FROM '${parquetDir()}/${table}/*/*.parquet'`);
  return rows.map((row) => String(row['event_id'])).sort();
}

async function filesIn(table: string): Promise<string[]> {
  return (await readdir(join(parquetDir(), table), { recursive: true })).filter((name) => !/^date=[\d-]+$/.test(name));
}

const expectedIds = (count: number) => Array.from({ length: count }, (_, index) => `run:${index}`).sort();

/** Throws at the n-th call of anything that changes the disk, before or after its effect. */
function faultAt(call: number, when: 'before' | 'after') {
  let calls = 0;
  const guard =
    <Args extends unknown[], Result>(work: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      calls++;
      if (calls === call && when === 'before') throw new Error('power cut');
      const result = await work(...args);
      if (calls === call && when === 'after') throw new Error('power cut');
      return result;
    };
  const steps: FileSteps = {
    ...fileSteps,
    write: guard(fileSteps.write),
    sync: guard(fileSteps.sync),
    publish: guard(fileSteps.publish),
  };
  const guarded: Staging = { ...staging, remove: guard(staging.remove) };
  return { files: partitionFiles({ directory: parquetDir(), staging: guarded, steps }), calls: () => calls };
}

describe('partitionFiles', () => {
  it('puts each row into exactly one file, named after its positions', async () => {
    await stage(0, 8);
    await writeAll(partitionFiles({ directory: parquetDir(), staging }));
    expect(await eventIdsIn('metadata_events')).toEqual(expectedIds(8));
    expect(await eventIdsIn('validator_metadata_events')).toEqual(expectedIds(8));
    // Each event is two rows; those of the even ones are on the first day.
    expect((await filesIn('metadata_events')).sort()).toEqual([
      'date=2024-05-18/000000000000001-000000000000009.parquet',
      'date=2024-05-18/000000000000013-000000000000013.parquet',
      'date=2024-05-19/000000000000003-000000000000011.parquet',
      'date=2024-05-19/000000000000015-000000000000015.parquet',
    ]);
    expect(await staging.partitions()).toEqual([]);
  });

  it('neither loses nor repeats a row wherever it is interrupted', async () => {
    // Without metadata an observation is a row of one table only: fewer places to be interrupted at.
    const rehearsal = faultAt(Number.POSITIVE_INFINITY, 'before');
    await stage(0, 5, { metadata: null });
    await writeAll(rehearsal.files, 2);
    const calls = rehearsal.calls();
    // Two new days and three files: 3 folders to sync a day; write, sync, publish, sync and remove a file.
    expect(calls).toBe(2 * 3 + 3 * 5);
    for (let call = 1; call <= calls; call++) {
      for (const when of ['before', 'after'] as const) {
        await tracker.close();
        await rm(folder.path, { recursive: true });
        await open();
        await stage(0, 5, { metadata: null });
        await expect(writeAll(faultAt(call, when).files, 2), `${when} call ${call}`).rejects.toThrow('power cut');
        // A new start, with events that came meanwhile.
        await tracker.close();
        await open();
        await stage(5, 2, { metadata: null });
        const files = partitionFiles({ directory: parquetDir(), staging });
        await files.recover();
        await writeAll(files, 2);
        expect(await eventIdsIn('metadata_events'), `${when} call ${call}`).toEqual(expectedIds(7));
        expect((await filesIn('metadata_events')).filter((name) => !name.endsWith('.parquet'))).toEqual([]);
      }
    }
  });

  it('shows readers no file before it is whole', async () => {
    await stage(0, 2);
    const { files } = faultAt(5, 'before');
    await expect(writeAll(files)).rejects.toThrow('power cut');
    const names = await filesIn('metadata_events');
    expect(names).toHaveLength(1);
    expect(names.every((name) => /\/\.tmp-/.test(name))).toBe(true);
  });

  it('takes no row that is not committed', async () => {
    await stage(0, 2);
    const files = partitionFiles({ directory: parquetDir(), staging });
    const rows = rowsOf({
      subject: 'events.metadata_received',
      event: observation({ event_id: 'undone', timestamp: 1_716_000_000_000 }),
    });
    await expect(
      tracker.writer.transaction(async () => {
        await staging.add(rows);
        const page = await staging.page({ table: 'metadata_events', date: '2024-05-18' }, 0, 10);
        expect(page.map(({ position }) => position)).toEqual([1]);
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
    await writeAll(files);
    expect(await eventIdsIn('metadata_events')).toEqual(expectedIds(2));
  });

  it('takes no file of its successor for its own when it was given up while the disk stood still', async () => {
    await stage(0, 4);
    const [stands, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const steps: FileSteps = {
      ...fileSteps,
      async sync(path) {
        if (path.includes('/.tmp-')) {
          stands.resolve();
          await goesOn.promise;
        }
        await fileSteps.sync(path);
      },
    };
    const givenUp = writeAll(partitionFiles({ directory: parquetDir(), staging, steps }), 3);
    await stands.promise;
    const successor = partitionFiles({ directory: parquetDir(), staging });
    await successor.recover();
    let finishedMeanwhile: string[] | null = null;
    const written: FileSteps['write'] = async (path, table, rows) => {
      await fileSteps.write(path, table, rows);
      // Half-written as far as anybody knows: it was not synced. Now the other one goes on.
      goesOn.resolve();
      await expect(givenUp).rejects.toThrow('ENOENT');
      finishedMeanwhile ??= (await filesIn('metadata_events')).filter((name) => name.endsWith('.parquet'));
    };
    const slow = partitionFiles({ directory: parquetDir(), staging, steps: { ...fileSteps, write: written } });
    await writeAll(slow);
    expect(finishedMeanwhile).toEqual([]);
    expect(await eventIdsIn('metadata_events')).toEqual(expectedIds(4));
  });

  it('never takes a name twice, even when the database was lost', async () => {
    await stage(0, 4);
    await writeAll(partitionFiles({ directory: parquetDir(), staging }));
    await tracker.close();
    for (const name of await readdir(folder.path)) {
      if (name.startsWith('validator_tracker.sqlite')) await rm(join(folder.path, name));
    }
    await open();
    const files = partitionFiles({ directory: parquetDir(), staging });
    await files.recover();
    await stage(4, 4);
    await files.recover();
    await writeAll(files);
    expect(await eventIdsIn('metadata_events')).toEqual(expectedIds(8));
  });

  it('overwrites no file of another origin', async () => {
    await stage(0, 1);
    const date = join(parquetDir(), 'metadata_events', 'date=2024-05-18');
    await mkdir(date, { recursive: true });
    await writeFile(join(date, '000000000000001-000000000000001.parquet'), 'not ours');
    await expect(writeAll(partitionFiles({ directory: parquetDir(), staging }))).rejects.toThrow(/not overwritten/);
  });
});
