import { beforeEach, describe, expect, it } from 'vitest';
import { type ParquetFlusher, parquetFlusher } from '../../../../src/io/storage/parquet/flusher.ts';
import type { PartitionFiles } from '../../../../src/io/storage/parquet/partition-files.ts';
import type { PartitionedRow } from '../../../../src/io/storage/parquet/rows.ts';
import type { Partition, Staging } from '../../../../src/io/storage/parquet/staging.ts';
import { type VirtualTime, virtualTime } from '../../../support/virtual-time.ts';

const WRITE_MS = 2;
const ROTATE_ROWS = 10;
const ROTATE_MS = 1_000;

let time: VirtualTime;
let happened: string[];
/** Rows in the staging table, by table name; there is one day. */
let staged: Map<string, number>;
let failures: number;
let flusher: ParquetFlusher;

const note = (text: string) => happened.push(`${time.scheduler.now()} ${text}`);

const staging = {
  partitions: async () => [...staged].map(([table, rows]) => ({ table, date: 'today', rows })),
} as unknown as Staging;

const files: PartitionFiles = {
  recover: async () => {
    note('recover');
    return [];
  },
  writeOldest: ({ table, date }: Partition, maxRows: number) =>
    new Promise((resolve, reject) => {
      time.scheduler.schedule(() => {
        if (failures-- > 0) return reject(new Error('disk full'));
        const rows = Math.min(maxRows, staged.get(table) ?? 0);
        staged.set(table, (staged.get(table) ?? 0) - rows);
        note(`write ${rows} of ${table}`);
        resolve(rows === 0 ? null : { table, date, rows, path: '' });
      }, WRITE_MS);
    }),
};

async function start(): Promise<void> {
  flusher = await parquetFlusher({
    files,
    staging,
    rotateRows: ROTATE_ROWS,
    rotateMs: ROTATE_MS,
    scheduler: time.scheduler,
    onFailure: ({ delayMs }) => note(`failure, again in ${delayMs}`),
  });
  flusher.files$.subscribe();
}

/** Rows are committed, and the flusher is told. */
function commit(table: Partition['table'], rows: number): void {
  staged.set(table, (staged.get(table) ?? 0) + rows);
  flusher.staged(Array.from({ length: rows }, (): PartitionedRow => ({ table, date: 'today', row: {} })));
}

beforeEach(() => {
  time = virtualTime();
  happened = [];
  staged = new Map();
  failures = 0;
});

describe('parquetFlusher', () => {
  it('writes a partition as soon as it fills a file, and leaves the others', async () => {
    await start();
    commit('metadata_events', 9);
    commit('discovery_events', 3);
    await time.advance(10);
    commit('metadata_events', 1);
    await time.advance(10);
    expect(happened).toEqual(['0 recover', '12 write 10 of metadata_events']);
    expect(flusher.stagedRows).toBe(3);
  });

  it('writes everything when its time has come, once, although rows keep coming', async () => {
    await start();
    commit('discovery_events', 3);
    commit('metadata_events', 4);
    await time.advance(ROTATE_MS + 1);
    commit('metadata_events', 1);
    await time.advance(500);
    expect(happened).toEqual(['0 recover', '1002 write 5 of metadata_events', '1004 write 3 of discovery_events']);
    commit('metadata_events', 2);
    await time.advance(ROTATE_MS);
    expect(happened.slice(3)).toEqual(['2002 write 2 of metadata_events']);
  });

  it('begins with the rows of the last run', async () => {
    staged.set('metadata_events', 25);
    await start();
    await time.advance(20);
    expect(happened).toEqual(['0 recover', '2 write 10 of metadata_events', '4 write 10 of metadata_events']);
  });

  it('recovers before it tries again after a failure', async () => {
    failures = 2;
    await start();
    commit('metadata_events', 10);
    await time.advance(4_000);
    expect(happened).toEqual([
      '0 recover',
      '2 failure, again in 1000',
      '1002 recover',
      '1004 failure, again in 2000',
      '3004 recover',
      '3006 write 10 of metadata_events',
    ]);
  });

  it('has no room while four full files wait, and then has', async () => {
    failures = 1;
    await start();
    commit('metadata_events', 9);
    let hasRoom = false;
    await flusher.room();
    commit('metadata_events', 31);
    const room = flusher.room().then(() => {
      hasRoom = true;
    });
    await time.advance(900);
    expect(hasRoom).toBe(false);
    await time.advance(200);
    await room;
    expect(hasRoom).toBe(true);
  });

  it('makes room even when no partition fills a file', async () => {
    await start();
    commit('metadata_events', 9);
    flusher.staged(
      Array.from(
        { length: 40 },
        (_, index): PartitionedRow => ({ table: 'metadata_events', date: `${index}`, row: {} }),
      ),
    );
    staged.set('metadata_events', 100);
    let hasRoom = false;
    void flusher.room().then(() => {
      hasRoom = true;
    });
    await time.advance(50);
    expect(hasRoom).toBe(true);
  });

  it('flushes on demand, and says when it is done', async () => {
    await start();
    commit('metadata_events', 12);
    commit('discovery_events', 1);
    let isDone = false;
    const flushed = flusher.flush().then(() => {
      isDone = true;
    });
    await time.advance(5);
    expect(isDone).toBe(false);
    await time.advance(5);
    await flushed;
    expect(flusher.stagedRows).toBe(0);
    expect([...staged.values()]).toEqual([0, 0]);
    await flusher.flush();
  });
});
