import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../src/io/logging/logger.ts';
import type { Keep } from '../../../src/programs/consumer/retention.ts';
import { type Consumer, startConsumer } from '../../../src/programs/consumer/start-consumer.ts';
import { duckdb } from '../../support/duckdb.ts';
import { entry, wireObservation } from '../../support/events.ts';
import { type MemoryLog, memoryLog } from '../../support/memory-log.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { type VirtualTime, virtualTime } from '../../support/virtual-time.ts';

const logger = createLogger({ level: 'silent', format: 'json', write: () => {} });
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let folder: Awaited<ReturnType<typeof tempDir>>;
let time: VirtualTime;
let log: MemoryLog;
const running: Consumer[] = [];

beforeEach(async () => {
  folder = await tempDir();
  time = virtualTime();
  log = memoryLog();
});
afterEach(async () => {
  for (const consumer of running.splice(0)) await consumer.close();
  await folder.remove();
});

/** Time passes at once, and everything due in it happens now. */
function laterBy(ms: number): void {
  time.scheduler.frame += ms;
}

async function start(keep?: Partial<Keep>): Promise<Consumer> {
  const consumer = await startConsumer({
    log,
    dataDir: folder.path,
    durable: 'consumer',
    logger,
    batchMs: 1,
    scheduler: time.scheduler,
    ...(keep === undefined ? {} : { keep: { addressesMs: 1e15, observationsMs: 1e15, eventsMs: 1e15, ...keep } }),
  });
  running.push(consumer);
  return consumer;
}

async function observed(consumer: Consumer, ...eventIds: string[]): Promise<void> {
  const before = consumer.counts().deliveries;
  await log.append(eventIds.map((event_id) => entry(event_id, wireObservation({ event_id, id: `of-${event_id}` }))));
  await vi.waitFor(async () => {
    await time.advance(5);
    expect(consumer.counts().deliveries).toBe(before + eventIds.length);
  });
}

async function closed(consumer: Consumer): Promise<void> {
  running.splice(running.indexOf(consumer), 1);
  await consumer.close();
}

const addresses = async (consumer: Consumer) =>
  (await consumer.database.reader.all<{ ip: string | null }>('SELECT ip FROM validator_tracker ORDER BY peer_id')).map(
    ({ ip }) => ip,
  );

describe('retention', () => {
  it('keeps aggregates for ever and addresses for 90 days when nobody says otherwise', async () => {
    const first = await start();
    await observed(first, 'run:0');
    await closed(first);
    laterBy(90 * DAY_MS - HOUR_MS);
    const second = await start();
    await observed(second, 'run:1');
    expect(await addresses(second)).toEqual(['1.2.3.4', '1.2.3.4']);
    await closed(second);

    laterBy(2 * HOUR_MS);
    const third = await start();
    await vi.waitFor(() => expect(third.counts().forgotten.peers).toBe(1));
    expect(await addresses(third)).toEqual([null, '1.2.3.4']);
    const totals = await third.database.reader.get('SELECT sum(num_observations) AS n FROM validator_tracker');
    expect(totals).toEqual({ n: 2 });
    expect(await third.database.reader.get('SELECT count(*) AS n FROM validator_history')).toEqual({ n: 2 });
    await closed(third);
    const [row] = await duckdb(`SELECT count(*)::INT AS n FROM '${folder.path}/parquet/metadata_events/*/*.parquet'`);
    expect(row).toEqual({ n: 2 });
  });

  it.each([
    ['every hour', 10 * HOUR_MS, 11 * HOUR_MS - 60_000],
    ['more often where little is kept', 20 * 60_000, 22 * 60_000 - 60_000],
  ])('looks %s', async (_, addressesMs, laterMs) => {
    const consumer = await start({ addressesMs });
    await observed(consumer, 'run:0');
    laterBy(laterMs);
    await vi.waitFor(async () => {
      await time.advance(10_000);
      expect(await addresses(consumer)).toEqual([null]);
    });
  });

  it('removes copies of databases with the addresses in them, and no other file', async () => {
    const names = [
      'validator_tracker.sqlite.backup-v1',
      'sentry.sqlite.backup-v2-2',
      'validator_tracker.sqlite.backup-v3',
    ];
    const others = ['mine.sqlite.backup-v1', 'sentry.sqlite.backup-of-mine'];
    for (const name of [...names, ...others]) {
      await writeFile(join(folder.path, name), '');
      const modified = new Date(name.endsWith('-v3') ? 100 * DAY_MS : DAY_MS);
      await utimes(join(folder.path, name), modified, modified);
    }
    laterBy(105 * DAY_MS);
    const consumer = await start({ addressesMs: 90 * DAY_MS });
    await vi.waitFor(async () => {
      const left = (await readdir(folder.path)).filter((name) => name.includes('.backup-'));
      expect(left.sort()).toEqual([...others, 'validator_tracker.sqlite.backup-v3'].sort());
    });
    await closed(consumer);
  });

  it('keeps what could not be read no longer than addresses, which may be in it', async () => {
    const first = await start({ addressesMs: 90 * DAY_MS });
    const bad = { ...entry('run:0', wireObservation({ event_id: 'run:0' })), payload: new TextEncoder().encode('?') };
    await log.append([bad]);
    await vi.waitFor(async () => {
      await time.advance(5);
      expect(first.counts().malformed).toBe(1);
    });
    await closed(first);
    laterBy(89 * DAY_MS);
    const second = await start({ addressesMs: 90 * DAY_MS });
    await observed(second, 'run:1');
    expect(second.counts().forgotten.deadLetters).toBe(0);
    await closed(second);
    laterBy(2 * DAY_MS);
    const third = await start({ addressesMs: 90 * DAY_MS });
    await vi.waitFor(() => expect(third.counts().forgotten.deadLetters).toBe(1));
  });

  it('tells of what it cannot do, tries again, and holds nothing else up', async () => {
    const first = await start({ eventsMs: DAY_MS });
    await observed(first, 'foreign');
    await first.database.writer.exec('ALTER TABLE applied_events RENAME COLUMN applied_ms TO away');
    laterBy(2 * DAY_MS);
    await vi.waitFor(async () => {
      // While one round is under way no other begins: that of the start may take until after the next.
      laterBy(HOUR_MS);
      await time.advance(1);
      expect(first.problems()).toEqual([expect.stringContaining('old data')]);
    });
    await observed(first, 'run:0');
    await first.database.writer.exec('ALTER TABLE applied_events RENAME COLUMN away TO applied_ms');
    await vi.waitFor(async () => {
      await time.advance(2_000);
      expect(first.problems()).toEqual([]);
    });
    expect(first.counts().forgotten.eventIds).toBe(1);
  });

  it('ends with the consumer, in the middle of its work', async () => {
    const first = await start();
    await observed(first, ...Array.from({ length: 3_000 }, (_, index) => `run:${index}`));
    await closed(first);
    laterBy(91 * DAY_MS);
    const second = await start();
    await closed(second);
    const third = await start();
    await vi.waitFor(async () => expect((await addresses(third)).filter((ip) => ip !== null)).toEqual([]));
    expect(second.counts().forgotten.peers + third.counts().forgotten.peers).toBe(3_000);
  });
});
