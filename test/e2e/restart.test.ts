import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type ForkedDevnet, forkDevnet } from '../../src/devnet/fork.ts';
import { openSqlite } from '../../src/io/storage/sqlite/sqlite.ts';
import { openTracker } from '../../src/io/storage/tracker/database.ts';
import { duckdb } from '../support/duckdb.ts';
import { figuresFromParquet, figuresOf, rowCounts, type Validator } from '../support/e2e/stored.ts';
import { valtrack } from '../support/e2e/valtrack.ts';
import { tempDir } from '../support/temp-dir.ts';

/** A crawler that is killed in the middle of its work, several times. */

const NODES = 6;
const KILLS = 3;

let folder: Awaited<ReturnType<typeof tempDir>>;
let devnet: ForkedDevnet;
beforeAll(async () => {
  folder = await tempDir();
  // Over QUIC, real ones hold the connection of somebody who was killed for ten seconds, and take no second one meanwhile.
  devnet = await forkDevnet({ nodes: NODES, seed: 11, slotMs: 100, dir: folder.path, manners: 'lenient' });
});
afterAll(async () => {
  await devnet.stop();
  await folder.remove();
});

/** Known peers are written from time to time. */
async function peersOnDisk(dataDir: string): Promise<number | undefined> {
  const database = await openSqlite(join(dataDir, 'sentry.sqlite'), { readOnly: true });
  const row = await database.get<{ peers: number }>('SELECT count(*) AS peers FROM peers');
  await database.close();
  return row?.peers;
}

it('is the same node after kill -9, knows its peers, and has lost and doubled nothing', async () => {
  const dataDir = join(folder.path, 'data');
  const runOn = (network: string) => valtrack(['run', '--network', network, '--data-dir', dataDir, '--http-port', '0']);
  const first = runOn(devnet.networkPath);
  const { peerId } = await first.line(({ msg }) => msg === 'crawling');
  await first.line(({ msg }) => msg === `${NODES} of ${NODES} devnet nodes observed`);
  await vi.waitFor(async () => expect(await peersOnDisk(dataDir)).toBe(NODES));
  expect(await first.stop('SIGKILL')).toBe(null);
  const identity = await readFile(join(dataDir, 'identity'));

  // From now on without bootnodes: whoever is met is met from memory.
  const noBootnodes = join(folder.path, 'no-bootnodes.json');
  await writeFile(noBootnodes, JSON.stringify({ ...devnet.network, bootnodes: [] }));
  for (let kills = 1; kills < KILLS; kills++) {
    const next = runOn(noBootnodes);
    expect((await next.line(({ msg }) => msg === 'crawling'))['peerId']).toBe(peerId);
    expect((await next.line(({ msg }) => msg === 'progress'))['peersKnown']).toBe(NODES);
    // Killed in the middle of an epoch, with visits under way.
    await next.line(({ msg, observations }) => msg === 'progress' && Number(observations) > kills);
    expect(await next.stop('SIGKILL')).toBe(null);
  }
  const last = runOn(noBootnodes);
  await last.line(({ msg }) => msg === `${NODES} of ${NODES} devnet nodes observed`);
  expect(await last.stop()).toBe(0);
  expect(await readFile(join(dataDir, 'identity'))).toEqual(identity);

  const tracker = await openTracker(dataDir);
  const view = await tracker.reader.all<Validator>('SELECT * FROM validator_tracker');
  await tracker.close();
  expect(view).toHaveLength(NODES);
  expect(figuresOf(view)).toEqual(await figuresFromParquet(dataDir));
  for (const table of ['metadata_events', 'discovery_events']) {
    const { rows, ids } = await rowCounts(dataDir, table);
    expect(rows, table).toBe(ids);
  }
  const { rows } = await rowCounts(dataDir, 'metadata_events');
  expect(view.reduce((sum, row) => sum + row.num_observations, 0)).toBe(rows);

  // Each run numbers its events from 0: all up to the last one on disk are there.
  const runs = await duckdb(`
    SELECT split_part(event_id, ':', 1) AS producer, count(*)::INT AS events, max(split_part(event_id, ':', 2)::INT) AS last
    FROM (SELECT event_id FROM read_parquet('${dataDir}/parquet/metadata_events/*/*.parquet')
          UNION ALL SELECT event_id FROM read_parquet('${dataDir}/parquet/discovery_events/*/*.parquet'))
    GROUP BY producer`);
  expect(runs).toHaveLength(KILLS + 1);
  for (const { producer, events, last: highest } of runs) expect(events, String(producer)).toBe(Number(highest) + 1);
}, 120_000);
