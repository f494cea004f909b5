import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openTracker } from '../../src/io/storage/tracker/database.ts';
import { duckdb } from '../support/duckdb.ts';
import { quietNetwork } from '../support/e2e/quiet-network.ts';
import { valtrack, valtrackDone } from '../support/e2e/valtrack.ts';
import { wireDiscovery, wireObservation } from '../support/events.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';

const SAMPLE = new URL('../fixtures/valtrack-sample-2024-05.csv', import.meta.url).pathname;

const WAIT = { timeout: 10_000, interval: 100 };

let folder: Awaited<ReturnType<typeof tempDir>>;
let network: string;
beforeAll(async () => {
  folder = await tempDir();
  network = await quietNetwork(folder.path);
});
afterAll(() => folder.remove());

interface Row {
  readonly peer_id: string;
  readonly num_observations: number;
  readonly max_validator_count: number;
}

/** From the list columns of the file, without our code. */
function expectedRows(): Promise<Row[]> {
  return duckdb(`
    SELECT id AS peer_id, count(*)::INT AS num_observations,
      max(len(list_distinct(list_filter(from_json(subscribed_subnets, '["BIGINT"]'), lambda s:
        s BETWEEN 0 AND 63 AND NOT list_contains(from_json(long_lived_subnets, '["BIGINT"]'), s)))))::INT
        AS max_validator_count
    FROM read_csv('${SAMPLE}', header = true, all_varchar = true) GROUP BY id ORDER BY id`) as Promise<unknown> as Promise<
    Row[]
  >;
}

async function storedRows(dataDir: string): Promise<Row[]> {
  const tracker = await openTracker(dataDir);
  const rows = await tracker.reader.all<Row>(
    'SELECT peer_id, num_observations, max_validator_count FROM validator_tracker ORDER BY peer_id',
  );
  await tracker.close();
  return rows;
}

async function rowCount(): Promise<number> {
  return (await expectedRows()).reduce((sum, { num_observations }) => sum + num_observations, 0);
}

/** Lets `run`, on a network in which nobody is, take what waits in the event log of the folder. */
async function consumed(dataDir: string): Promise<Row[]> {
  const run = valtrack(['run', '--network', network, '--data-dir', dataDir, '--http-port', '0']);
  await run.line(({ msg }) => msg === 'crawling');
  expect(await run.stop()).toBe(0);
  return storedRows(dataDir);
}

describe('replay', () => {
  it('of the published sample gives the counts of the sample, and twice changes nothing', async () => {
    const dataDir = join(folder.path, 'sample');
    const total = await rowCount();
    for (const files of [[SAMPLE], [SAMPLE, SAMPLE]]) {
      const done = await valtrackDone(['replay', ...files, '--data-dir', dataDir]);
      expect(done).toMatchObject({ code: 0, said: [] });
      expect(done.stdout).toBe(
        `${total * files.length} events were put into the event log, 0 records were left out.\n`,
      );
      expect(await consumed(dataDir)).toEqual(await expectedRows());
    }
  });

  it('goes through NATS to a consumer, and waits until all of it is there', async () => {
    const nats = await startNatsServer();
    try {
      const dataDir = join(folder.path, 'consumer');
      const consumer = valtrack(['consumer', '--nats-url', nats.url, '--data-dir', dataDir, '--http-port', '0']);
      const url = await consumer.url();
      const replayed = await valtrackDone([
        ...['replay', SAMPLE, '--nats-url', nats.url],
        ...['--data-dir', join(folder.path, 'replayed')],
      ]);
      expect(replayed.code).toBe(0);
      const expected = await expectedRows();
      await vi.waitFor(async () => {
        const rows = (await (await fetch(`${url}/validators`)).json()) as Row[];
        expect(rows.reduce((sum, row) => sum + row.num_observations, 0)).toBe(await rowCount());
      }, WAIT);
      expect(await consumer.stop()).toBe(0);
      expect(await storedRows(dataDir)).toEqual(expected);
    } finally {
      await nats.dispose();
    }
  });

  it('reads lines from standard input, and leaves out what is none', async () => {
    const dataDir = join(folder.path, 'stdin');
    const lines = [
      JSON.stringify(wireDiscovery({ id: 'a' })),
      JSON.stringify(wireObservation({ id: 'a', timestamp: 1_716_910_000_000 })),
      'no JSON',
      JSON.stringify(wireObservation({ id: 'a', timestamp: 1_716_910_000_001, subscribed_subnets: [1, 2, 3] })),
      '',
    ];
    const done = await valtrackDone(['replay', '-', '--data-dir', dataDir], { stdin: lines.join('\n') });
    expect(done).toMatchObject({ code: 0, said: [] });
    expect(done.stdout).toBe('3 events were put into the event log, 1 records were left out.\n');
    expect(done.log).toEqual([expect.objectContaining({ msg: 'a record was left out', file: '-', line: 3 })]);
    expect(await consumed(dataDir)).toEqual([{ peer_id: 'a', num_observations: 2, max_validator_count: 3 }]);
  });

  it('ends on a signal although standard input stays open', async () => {
    const replay = valtrack(['replay', '-', '--data-dir', join(folder.path, 'waiting')], { stdin: null });
    replay.child.stdin?.write(`${JSON.stringify(wireObservation({ id: 'b' }))}\n`);
    await vi.waitFor(async () => expect(await storedBytes(join(folder.path, 'waiting'))).toBeGreaterThan(0), WAIT);
    expect(await replay.stop('SIGINT')).toBe(0);
    expect(replay.stdout()).toMatch(/^[01] events were put into the event log/);
  });
});

/** How much of the event log there is: the program has opened its folder. */
async function storedBytes(dataDir: string): Promise<number> {
  return (await stat(join(dataDir, 'sentry.sqlite'))).size;
}
