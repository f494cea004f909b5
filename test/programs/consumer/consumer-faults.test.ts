import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { map } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { fileSteps } from '../../../src/io/storage/parquet/file-steps.ts';
import { openTracker } from '../../../src/io/storage/tracker/database.ts';
import { type Consumer, type ConsumerOptions, startConsumer } from '../../../src/programs/consumer/start-consumer.ts';
import type { Delivery, EventLog, LogEntry } from '../../../src/streams/ports/event-log.ts';
import { type DiskFaults, diskFaults, type FaultPlan, NO_FAULT } from '../../support/disk-faults.ts';
import { duckdb } from '../../support/duckdb.ts';
import { entry, wireDiscovery, wireObservation } from '../../support/events.ts';
import { type MemoryLog, memoryLog } from '../../support/memory-log.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { virtualTime } from '../../support/virtual-time.ts';

/**
 * A fault at every write, sync, rename, removal, commit and acknowledgement of the consumer, one by one; afterwards what
 * is stored is compared, row for row, with what was sent.
 */

const logger = createLogger({ level: 'silent', format: 'json', write: () => {} });
let folder: Awaited<ReturnType<typeof tempDir>>;

beforeEach(async () => {
  folder = await tempDir();
});
afterEach(() => folder.remove());

const FOR_EVER = Number.POSITIVE_INFINITY;
const DAY_MS = 86_400_000;
const FIRST_DAY_MS = Date.UTC(2024, 4, 18);

/** What was sent: observations of two peers on two days, a discovery, and rubbish. */
function events(): { entries: LogEntry[]; ledger: Ledger } {
  const observations = Array.from({ length: 6 }, (_, index) => ({
    event_id: `run:${index}`,
    id: `peer-${index % 2}`,
    timestamp: FIRST_DAY_MS + (index < 4 ? 0 : DAY_MS) + index,
    metadata: null,
  }));
  const rubbish = { subject: 'events.metadata_received', eventId: 'bad', payload: new TextEncoder().encode('{') };
  return {
    entries: [
      ...observations.map((fields) => entry(fields.event_id, wireObservation(fields))),
      rubbish,
      entry('run:6', wireDiscovery({ event_id: 'run:6', timestamp: FIRST_DAY_MS })),
    ],
    ledger: {
      observed: observations.map(({ event_id }) => event_id),
      discovered: ['run:6'],
      rubbish: ['bad'],
      perPeer: [
        { peer_id: 'peer-0', n: 3 },
        { peer_id: 'peer-1', n: 3 },
      ],
    },
  };
}

interface Ledger {
  readonly observed: readonly string[];
  readonly discovered: readonly string[];
  readonly rubbish: readonly string[];
  readonly perPeer: readonly { readonly peer_id: string; readonly n: number }[];
}

/** Acknowledging is a step too: one that fails is not heard of, as on a connection that is cut. */
function withFaults(log: MemoryLog, faults: DiskFaults): EventLog {
  const cut = vi.fn();
  const faulty = (delivery: Delivery): Delivery => ({
    ...delivery,
    ack: () => {
      faults
        .guard(async () => delivery.ack())()
        .catch(cut);
    },
  });
  return { ...log, deliveries: (options) => log.deliveries(options).pipe(map(faulty)) };
}

function start(log: EventLog, options: Partial<ConsumerOptions> = {}): Promise<Consumer> {
  return startConsumer({
    log,
    dataDir: folder.path,
    durable: 'consumer',
    logger,
    batchSize: 4,
    batchMs: 1,
    rotateRows: 2,
    // Virtual time begins in 1970.
    keep: { addressesMs: FOR_EVER, observationsMs: FOR_EVER, eventsMs: FOR_EVER },
    ...options,
  });
}

const parquet = () => join(folder.path, 'parquet');
async function idsIn(table: string): Promise<unknown[]> {
  const rows = await duckdb(`SELECT event_id FROM '${parquet()}/${table}/*/*.parquet' ORDER BY event_id`);
  return rows.map((row) => row['event_id']);
}

async function expectLedger(ledger: Ledger, told: string): Promise<void> {
  const tracker = await openTracker(folder.path);
  const all = (sql: string) => tracker.reader.all<Record<string, unknown>>(sql);
  expect(await all('SELECT peer_id, num_observations AS n FROM validator_tracker ORDER BY peer_id'), told).toEqual(
    ledger.perPeer,
  );
  expect(
    (await all('SELECT event_id FROM dead_letters')).map((row) => row['event_id']),
    told,
  ).toEqual(ledger.rubbish);
  expect(await all('SELECT * FROM parquet_staging'), told).toEqual([]);
  expect(await all('SELECT * FROM parquet_replacements'), told).toEqual([]);
  await tracker.close();
  expect(await idsIn('metadata_events'), told).toEqual(ledger.observed);
  expect(await idsIn('discovery_events'), told).toEqual(ledger.discovered);
  const names = await readdir(parquet(), { recursive: true });
  expect(
    names.filter((name) => /\/date=[^/]*\//.test(name) && !name.endsWith('.parquet')),
    told,
  ).toEqual([]);
}

/** Runs a consumer over everything until it is done and closed, or nothing works any more. */
async function runUntilFault(log: MemoryLog, plan: FaultPlan): Promise<DiskFaults> {
  const faults = diskFaults(plan);
  const time = virtualTime();
  const disk = { files: faults.guardAll(fileSteps), writer: faults.database };
  const consumer = await start(withFaults(log, faults), { disk, scheduler: time.scheduler }).catch((error: Error) => {
    expect(error.message).toBe('injected fault');
    return null;
  });
  if (consumer === null) return faults;
  const isGone = () => faults.hasStruck && plan.lasts === 'for good';
  const { deliveries, closed } = { deliveries: 8, closed: { is: false } };
  /** What failed once is tried again after a while. */
  const until = (isTrue: () => boolean) =>
    vi.waitFor(
      async () => {
        await time.advance(20);
        expect(isGone() || isTrue()).toBe(true);
      },
      { timeout: 10_000, interval: 1 },
    );
  await until(() => consumer.counts().deliveries === deliveries);
  const closing = isGone() ? null : consumer.close();
  void closing?.then(() => {
    closed.is = true;
  });
  await until(() => closed.is);
  // Whoever is gone closes nothing; here its files have to be let go of. Its time stands still from now on.
  if (!closed.is) {
    await faults.idle();
    await consumer.database.close();
  }
  return faults;
}

/** To be gone after a call is to be gone before the next; what passes strikes before one call and after another. */
function plansFor(calls: number): FaultPlan[] {
  return Array.from({ length: calls }, (_, index) => index + 1).flatMap((call): FaultPlan[] => [
    { call, when: 'before', lasts: 'for good' },
    { call, when: call % 2 === 0 ? 'before' : 'after', lasts: 'once' },
  ]);
}

describe('a consumer', () => {
  it('stores everything once wherever a fault strikes, passing or not', async () => {
    const { entries, ledger } = events();
    const run = async (plan: FaultPlan) => {
      await folder.remove();
      await mkdir(folder.path);
      const log = memoryLog();
      await log.append(entries);
      const faults = await runUntilFault(log, plan);
      // A new start, to which everything not acknowledged is delivered again.
      const consumer = await start(log);
      await vi.waitFor(() => expect(log.unacknowledged).toBe(0));
      await consumer.close();
      await expectLedger(ledger, JSON.stringify(plan));
      return faults;
    };
    const { calls } = await run(NO_FAULT);
    // Of four files each: write, sync, publish, sync, and the removal of its rows, which is a transaction and a statement.
    // Of three folders: two syncs. Of two batches: a transaction and eight statements. And eight acknowledgements.
    expect(calls).toBeGreaterThan(4 * 6 + 3 * 2 + 2 * 9 + 8);
    for (const plan of plansFor(calls)) await run(plan);
  }, 120_000);
});
