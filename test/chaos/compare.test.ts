import { copyFile, readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventMaker } from '../../chaos/support/events.ts';
import { type Ledger, openLedger } from '../../chaos/support/ledger.ts';
import { compare } from '../../chaos/verify/compare.ts';
import { seededRandom } from '../../src/devnet/random.ts';
import { embeddedEventLog } from '../../src/io/event-log/embedded/log.ts';
import { createLogger } from '../../src/io/logging/logger.ts';
import { openSentryDatabase } from '../../src/io/storage/sentry/sentry-database.ts';
import { startConsumer } from '../../src/programs/consumer/start-consumer.ts';
import { tempDir } from '../support/temp-dir.ts';

/** A proof is worth what its judge would notice: each kind of damage must be found, and called by its name. */

const EVENTS = 60;
const logger = createLogger({ level: 'silent', format: 'json' });

let folder: Awaited<ReturnType<typeof tempDir>>;
let ledger: Ledger;

beforeEach(async () => {
  folder = await tempDir();
  ledger = openLedger();
  const events = eventMaker(seededRandom('compare'), Date.UTC(2026, 0, 10));
  const database = await openSentryDatabase(folder.path);
  const log = await embeddedEventLog(database, { logger, durables: ['consumer'] });
  for (let serial = 0; serial < EVENTS; serial++) {
    const event = events.next();
    const eventId = `run:${serial}`;
    ledger.send(event);
    ledger.commit(event.serial, eventId);
    const payload = new TextEncoder().encode(JSON.stringify({ ...event.wire, event_id: eventId }));
    await log.append([{ subject: event.subject, eventId, payload }]);
  }
  const consumer = await startConsumer({ log, dataDir: folder.path, durable: 'consumer', logger });
  await consumer.reached(({ applied }) => applied === EVENTS);
  await consumer.close();
  await log.close();
  await database.close();
});
afterEach(() => folder.remove());

async function figures() {
  return (await compare(folder.path, ledger)).figures;
}

async function someFile(): Promise<string> {
  const table = join(folder.path, 'parquet', 'discovery_events');
  const [date = ''] = await readdir(table);
  const [name = ''] = await readdir(join(table, date));
  return join(table, date, name);
}

function change(sql: string): void {
  const database = new DatabaseSync(join(folder.path, 'validator_tracker.sqlite'));
  database.exec(sql);
  database.close();
}

describe('what is stored, compared with the ledger', () => {
  it('agrees when nothing has happened to it', async () => {
    const { figures, problems } = await compare(folder.path, ledger);
    expect(problems).toEqual([]);
    expect(figures).toMatchObject({
      events: EVENTS,
      stored: EVENTS,
      lost: 0,
      repeated: 0,
      wrong: 0,
      'broken files': 0,
    });
  });

  it('finds an event that was promised and is not stored', async () => {
    const event = eventMaker(seededRandom('another'), 0).next();
    ledger.send({ ...event, serial: 999 });
    ledger.commit(999, 'run:999');
    expect(await figures()).toMatchObject({ lost: 1 });
  });

  it('takes one that was sent and not promised for what may be there or not', async () => {
    ledger.send({ ...eventMaker(seededRandom('another'), 0).next(), serial: 999 });
    expect(await figures()).toMatchObject({ lost: 0, wrong: 0, 'in doubt': 1 });
  });

  it('finds an event that was never sent', async () => {
    const known = ledger;
    ledger = openLedger();
    for (const [serial, event] of known.sent) {
      if (serial === 7) continue;
      ledger.send(event);
      ledger.commit(serial, known.committed.get(serial) ?? '');
    }
    expect((await figures()).wrong).toBeGreaterThan(0);
  });

  it('finds a row that is there twice', async () => {
    const path = await someFile();
    await copyFile(path, path.replace(/\d+-\d+\.parquet$/, '000000000900000-000000000900001.parquet'));
    expect((await figures()).repeated).toBeGreaterThan(0);
  });

  it('finds a broken file, one that is not finished, and ranges that overlap', async () => {
    const path = await someFile();
    await copyFile(path, path.replace(/\d+-\d+\.parquet$/, '.tmp-5'));
    await copyFile(path, path.replace(/\d+-(\d+)\.parquet$/, '$1-$1.parquet'));
    await truncate(path, 40);
    expect(await figures()).toMatchObject({ 'broken files': 3 });
  });

  it.each([
    ['an observation too many', 'UPDATE validator_tracker SET num_observations = num_observations + 1 WHERE rowid = 1'],
    ['an older address', "UPDATE validator_tracker SET ip = '203.0.113.255' WHERE rowid = 1"],
    ['a peer too few', 'DELETE FROM validator_tracker WHERE rowid = 1'],
    ['an event that counts as applied and is not', "INSERT INTO applied_ranges VALUES ('other', 0, 0)"],
    [
      'a staged row',
      "INSERT INTO parquet_staging (table_name, date, row) VALUES ('discovery_events', '2026-01-01', '{}')",
    ],
    ['a dead letter', "INSERT INTO dead_letters VALUES (1, 'l', 1, 'i', 's', 'r', x'00', 1, 1)"],
  ])('finds %s', async (_, sql) => {
    change(sql);
    expect(await figures()).toMatchObject({ wrong: 1 });
  });
});
