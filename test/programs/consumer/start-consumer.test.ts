import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { firstValueFrom, Observable, throwError } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventIds } from '../../../src/consensus/event-id.ts';
import { embeddedEventLog } from '../../../src/io/event-log/embedded/log.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { openSentryDatabase } from '../../../src/io/storage/sentry/sentry-database.ts';
import { openTracker } from '../../../src/io/storage/tracker/database.ts';
import { type ConsumerOptions, startConsumer } from '../../../src/programs/consumer/start-consumer.ts';
import type { LogEntry } from '../../../src/streams/ports/event-log.ts';
import { duckdb } from '../../support/duckdb.ts';
import { entry, wireDiscovery, wireObservation } from '../../support/events.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { virtualTime } from '../../support/virtual-time.ts';

const CONSUMER_PROCESS = fileURLToPath(new URL('../../support/consumer-process.ts', import.meta.url));
const logger = createLogger({ level: 'silent', format: 'json', write: () => {} });
let folder: Awaited<ReturnType<typeof tempDir>>;

beforeEach(async () => {
  folder = await tempDir();
});
afterEach(() => folder.remove());

function start(options: Pick<ConsumerOptions, 'log'> & Partial<ConsumerOptions>) {
  return startConsumer({ dataDir: folder.path, durable: 'consumer', logger, batchMs: 1, ...options });
}

/** Observations of ten peers, the k-th of which shows k short-lived subnets. */
function observations(count: number, producer?: string): LogEntry[] {
  const nextId = eventIds(producer);
  return Array.from({ length: count }, (_, index) => {
    const event_id = nextId();
    const peer = index % 10;
    const subscribed_subnets = Array.from({ length: peer }, (_, subnet) => 20 + subnet);
    return entry(
      event_id,
      wireObservation({ event_id, id: `peer-${peer}`, subscribed_subnets, timestamp: 1e12 + index }),
    );
  });
}

async function viewFigures() {
  const tracker = await openTracker(folder.path);
  const rows = await tracker.reader.all(
    'SELECT peer_id, num_observations AS n, max_validator_count AS most FROM validator_tracker ORDER BY peer_id',
  );
  await tracker.close();
  return rows;
}

const expectedFigures = (count: number) =>
  Array.from({ length: 10 }, (_, peer) => ({ peer_id: `peer-${peer}`, n: count / 10, most: peer }));

async function parquetCount(table: string) {
  const [row] = await duckdb(
    `SELECT count(*)::INT AS n, count(DISTINCT event_id)::INT AS d FROM '${folder.path}/parquet/${table}/*/*.parquet'`,
  );
  return row;
}

describe('startConsumer', () => {
  it('leaves nothing behind when it closes: all committed, all acknowledged, all in Parquet', async () => {
    const log = memoryLog();
    const consumer = await start({ log, batchSize: 16, rotateRows: 100 });
    await log.append([...observations(500, 'run'), entry('found', wireDiscovery())]);
    await consumer.reached(({ deliveries }) => deliveries > 0);
    await consumer.reached(({ applied }) => applied === 501);
    await consumer.close();
    await consumer.ended;
    expect(log.unacknowledged).toBe(0);
    expect(consumer.counts()).toMatchObject({ applied: 501, duplicates: 0, malformed: 0, stagedRows: 0 });
    expect(await viewFigures()).toEqual(expectedFigures(500));
    expect(await parquetCount('metadata_events')).toEqual({ n: 500, d: 500 });
    // One peer in ten shows no short-lived subnet.
    expect(await parquetCount('validator_metadata_events')).toEqual({ n: 450, d: 450 });
    expect(await parquetCount('discovery_events')).toEqual({ n: 1, d: 1 });
  });

  it('commits what was delivered when it is closed, and takes no more', async () => {
    const log = memoryLog();
    const consumer = await start({ log, batchSize: 1_000, batchMs: 60_000, maxInFlight: 30 });
    await log.append(observations(100, 'run'));
    await consumer.close();
    expect(consumer.counts()).toMatchObject({ deliveries: 30, applied: 30 });
    expect(log.unacknowledged).toBe(70);
    expect(await parquetCount('metadata_events')).toEqual({ n: 30, d: 30 });
  });

  it('has no more deliveries in hand than it was told', async () => {
    const log = memoryLog();
    const consumer = await start({ log, batchSize: 8, maxInFlight: 24 });
    await log.append(observations(1_000, 'run'));
    await consumer.reached(({ applied }) => applied === 1_000);
    expect(log.highestInFlight).toBe(24);
    await consumer.close();
  });

  it('changes nothing when a whole log is delivered again, after a restart too', async () => {
    const log = memoryLog();
    await log.append(observations(200, 'run'));
    for (const isFirst of [true, false]) {
      log.rewind();
      const consumer = await start({ log });
      await consumer.reached(({ deliveries }) => deliveries === 200);
      expect(consumer.counts()).toMatchObject(isFirst ? { applied: 200 } : { applied: 0, duplicates: 200 });
      await consumer.close();
    }
    expect(await viewFigures()).toEqual(expectedFigures(200));
    expect(await parquetCount('metadata_events')).toEqual({ n: 200, d: 200 });
  });

  it('outlives poison: what cannot be read is put aside and acknowledged', async () => {
    const log = memoryLog();
    const consumer = await start({ log });
    const [good] = observations(1, 'run');
    await log.append([
      { subject: 'events.metadata_received', eventId: 'p1', payload: new TextEncoder().encode('{') },
      { subject: 'events.unheard_of', eventId: 'p2', payload: new TextEncoder().encode('{}') },
      { subject: 'events.metadata_received', eventId: 'p3', payload: new Uint8Array(70_000) },
      entry('p4', wireObservation({ epoch: 'soon' })),
      entry('null-metadata', wireObservation({ metadata: null, subscribed_subnets: null, epoch: 2 ** 40 })),
      good as LogEntry,
    ]);
    await consumer.reached(({ deliveries }) => deliveries === 6);
    expect(consumer.counts()).toMatchObject({ applied: 2, malformed: 4 });
    const letters = await consumer.database.reader.all<{ event_id: string; reason: string }>(
      'SELECT event_id, reason FROM dead_letters ORDER BY id',
    );
    expect(letters.map(({ event_id }) => event_id)).toEqual(['p1', 'p2', 'p3', 'p4']);
    expect(letters.every(({ reason }) => reason.length > 0)).toBe(true);
    await consumer.close();
    expect(log.unacknowledged).toBe(0);
  });

  it('rides out a disk that takes no Parquet files, and tells of it meanwhile', async () => {
    const log = memoryLog();
    const consumer = await start({ log, rotateRows: 10 });
    await writeFile(join(folder.path, 'parquet'), 'in the way');
    await log.append(observations(10, 'run'));
    await vi.waitFor(() => expect(consumer.problems()).toEqual([expect.stringContaining('Parquet')]));
    await rm(join(folder.path, 'parquet'));
    await consumer.reached(({ parquetRows }) => parquetRows >= 10);
    expect(consumer.problems()).toEqual([]);
    await consumer.close();
    expect(await parquetCount('metadata_events')).toEqual({ n: 10, d: 10 });
  });

  it('closes in time although nothing can be committed, and goes on at the next start', async () => {
    const log = memoryLog();
    const time = virtualTime();
    const stuck = await start({ log, scheduler: time.scheduler });
    await stuck.database.writer.exec('ALTER TABLE log_positions RENAME TO log_positions_away');
    await log.append(observations(10, 'run'));
    await vi.waitFor(async () => {
      await time.advance(200);
      expect(stuck.problems()).toEqual([expect.stringContaining('log_positions')]);
    });
    const closed = stuck.close();
    await time.advance(10_000);
    await closed;
    expect(log.unacknowledged).toBe(10);

    const tracker = await openTracker(folder.path);
    await tracker.writer.exec('ALTER TABLE log_positions_away RENAME TO log_positions');
    await tracker.close();
    const consumer = await start({ log });
    await consumer.reached(({ applied }) => applied === 10);
    await consumer.close();
    expect(log.unacknowledged).toBe(0);
  });

  it('says so when the event log is lost', async () => {
    const log = memoryLog();
    const lost = { ...log, deliveries: () => throwError(() => new Error('the stream is gone')) };
    const consumer = await start({ log: lost });
    await expect(consumer.ended).rejects.toThrow('the stream is gone');
    await expect(consumer.reached(({ applied }) => applied > 0)).rejects.toThrow();
    await consumer.close();
  });

  it('lets go of the log when it is closed', async () => {
    let subscribers = 0;
    const log = {
      ...memoryLog(),
      deliveries: () =>
        new Observable<never>(() => {
          subscribers++;
          return () => subscribers--;
        }),
    };
    const consumer = await start({ log });
    expect(subscribers).toBe(1);
    await consumer.close();
    expect(subscribers).toBe(0);
    await firstValueFrom(consumer.summaries, { defaultValue: null });
  });
});

describe('a consumer that is killed', () => {
  it('has applied every event once in the end', async () => {
    const count = 3_000;
    const database = await openSentryDatabase(folder.path);
    const log = await embeddedEventLog(database, { logger, durables: ['consumer'] });
    await log.append(observations(count, 'run'));
    await log.close();
    await database.close();

    for (const batches of [1, 13, 37]) await killAfter(batches);

    const again = await openSentryDatabase(folder.path);
    const rest = await embeddedEventLog(again, { logger });
    const consumer = await start({ log: rest, rotateRows: 500 });
    await vi.waitFor(async () => expect((await rest.depth()).entries).toBe(0), { timeout: 20_000 });
    await consumer.close();
    await rest.close();
    await again.close();
    expect(await viewFigures()).toEqual(expectedFigures(count));
    expect(await parquetCount('metadata_events')).toEqual({ n: count, d: count });
    expect(await parquetCount('validator_metadata_events')).toEqual({ n: count * 0.9, d: count * 0.9 });
  });

  /** Runs a consumer in a process of its own and kills it without warning after some batches. */
  async function killAfter(batches: number): Promise<void> {
    const child: ChildProcess = spawn(process.execPath, [CONSUMER_PROCESS, folder.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const gone = once(child, 'exit');
    let lines = 0;
    child.stdout?.on('data', (data: Buffer) => {
      lines += data.toString().split('\n').length - 1;
      if (lines >= batches) child.kill('SIGKILL');
    });
    expect(await gone).toEqual([null, 'SIGKILL']);
  }
});
