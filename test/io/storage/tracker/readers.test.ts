import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSqlite } from '../../../../src/io/storage/sqlite/sqlite.ts';
import { openTracker } from '../../../../src/io/storage/tracker/database.ts';
import { TRACKER_FILE } from '../../../../src/io/storage/tracker/schema.ts';
import { databaseForEachTest } from '../../../support/database-for-each-test.ts';

const home = databaseForEachTest(openTracker);

const MEGABYTE = 1024 * 1024;
const walBytes = async () => (await stat(join(home.path, `${TRACKER_FILE}-wal`))).size;

/** Commits that write a megabyte each. */
async function commit(from: number, count: number): Promise<void> {
  for (let index = from; index < from + count; index++) {
    await home.database.writer.transaction(() =>
      home.database.writer.run(
        'INSERT OR REPLACE INTO estimator_states VALUES (?, ?)',
        `p${index}`,
        new Uint8Array(MEGABYTE),
      ),
    );
  }
}

describe('a long look at the view', () => {
  it('sees one state, stops no commit, and leaves no large log behind', async () => {
    await commit(0, 1);
    const exporting = await openSqlite(join(home.path, TRACKER_FILE), { readOnly: true });
    await exporting.exec('BEGIN');
    const seen = () => exporting.get<{ n: number }>('SELECT count(*) AS n FROM estimator_states');
    expect(await seen()).toEqual({ n: 1 });

    await commit(1, 100);
    expect(await seen()).toEqual({ n: 1 });
    expect(await home.database.reader.get('SELECT count(*) AS n FROM estimator_states')).toEqual({ n: 101 });
    // What the look may still need cannot leave the log.
    expect(await walBytes()).toBeGreaterThan(95 * MEGABYTE);

    await exporting.exec('COMMIT');
    await commit(101, 3);
    expect(await walBytes()).toBeLessThanOrEqual(64 * MEGABYTE);
    await exporting.close();
  });

  it('does not keep the log from being emptied while there are only short ones', async () => {
    for (let round = 0; round < 30; round++) {
      await commit(round, 1);
      await home.database.reader.all('SELECT peer_id FROM estimator_states');
    }
    expect(await walBytes()).toBeLessThan(8 * MEGABYTE);
  });
});

it('however many ask for something large, files are read and commits are made at once', async () => {
  const slow = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) SELECT sum(i) FROM n';
  const done: string[] = [];
  const asking = Array.from({ length: 12 }, async () => {
    await home.database.figures.get(slow);
    done.push('large');
  });
  await Promise.all([
    commit(0, 1).then(() => done.push('commit')),
    readFile(join(home.path, TRACKER_FILE)).then(() => done.push('file')),
    home.database.reader.get('SELECT count(*) FROM estimator_states').then(() => done.push('small')),
  ]);
  // Some of the large ones may have been done before; most were not waited for.
  expect(done.filter((what) => what === 'large').length).toBeLessThan(6);
  await Promise.all(asking);
});
