import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ForkedDevnet, forkDevnet } from '../../src/devnet/fork.ts';
import { duckdb } from '../support/duckdb.ts';
import { rowCounts } from '../support/e2e/stored.ts';
import { valtrack } from '../support/e2e/valtrack.ts';
import { tempDir } from '../support/temp-dir.ts';

/** `sentry.sqlite` put back as it was some runs ago, as from a backup. */

const NODES = 4;

let folder: Awaited<ReturnType<typeof tempDir>>;
let devnet: ForkedDevnet;
beforeAll(async () => {
  folder = await tempDir();
  devnet = await forkDevnet({ nodes: NODES, seed: 8, slotMs: 100, dir: folder.path });
});
afterAll(async () => {
  await devnet.stop();
  await folder.remove();
});

it('makes no event that looks like one of before, so that every one counts', async () => {
  const dataDir = join(folder.path, 'data');
  const database = join(dataDir, 'sentry.sqlite');
  const run = async () => {
    const running = valtrack(['run', '--network', devnet.networkPath, '--data-dir', dataDir, '--http-port', '0']);
    await running.line(({ msg }) => msg === `${NODES} of ${NODES} devnet nodes observed`);
    expect(await running.stop()).toBe(0);
  };
  await run();
  // A stopped program leaves everything in this one file.
  await copyFile(database, join(folder.path, 'backup.sqlite'));
  const { rows: before } = await rowCounts(dataDir, 'metadata_events');
  await run();
  await Promise.all(['-wal', '-shm'].map((suffix) => rm(`${database}${suffix}`, { force: true })));
  await copyFile(join(folder.path, 'backup.sqlite'), database);
  await run();

  const { rows, ids } = await rowCounts(dataDir, 'metadata_events');
  expect(rows).toBe(ids);
  expect(rows).toBeGreaterThanOrEqual(before + 2 * NODES);
  // Every run is a producer of its own that numbers its events from 0, and none of them is missing.
  const producers = await duckdb(`
    SELECT count(*)::INT AS events, max(split_part(event_id, ':', 2)::INT) + 1 AS numbered
    FROM (SELECT event_id FROM read_parquet('${dataDir}/parquet/metadata_events/*/*.parquet')
          UNION ALL SELECT event_id FROM read_parquet('${dataDir}/parquet/discovery_events/*/*.parquet'))
    GROUP BY split_part(event_id, ':', 1)`);
  expect(producers).toHaveLength(3);
  for (const { events, numbered } of producers) expect(events).toBe(numbered);
}, 90_000);
