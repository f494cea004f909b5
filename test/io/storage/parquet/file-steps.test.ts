import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileSteps, readRows, rowCount } from '../../../../src/io/storage/parquet/file-steps.ts';
import { tempDir } from '../../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
beforeEach(async () => {
  folder = await tempDir();
});
afterEach(() => folder.remove());

const row = (id: number) => ({
  enr: '',
  id: `peer-${id}`,
  ip: '1.2.3.4',
  port: 1,
  crawler_id: '',
  crawler_location: '',
  timestamp: id,
});

async function* rows(count: number): AsyncGenerator<object> {
  for (let id = 0; id < count; id++) yield row(id);
}

async function idsOf(path: string): Promise<unknown[]> {
  const ids: unknown[] = [];
  for await (const found of readRows(path)) ids.push(found['id']);
  return ids;
}

describe('writing a file', () => {
  it.each([0, 1, 1_999, 2_000, 5_001])('of %i rows and reading it gives the rows in their order', async (count) => {
    const path = join(folder.path, 'x');
    await fileSteps.write(path, 'discovery_events', rows(count));
    expect(await rowCount(path)).toBe(count);
    expect(await idsOf(path)).toEqual(Array.from({ length: count }, (_, id) => `peer-${id}`));
  });

  // What the device takes is nothing: each write fails as on a disk without room.
  it.each([0, 3, 6_000])('of %i rows on a full disk rejects, and nothing fails beside it', async (count) => {
    await expect(fileSteps.write('/dev/full', 'discovery_events', rows(count))).rejects.toMatchObject({
      code: 'ENOSPC',
    });
  });

  it('rejects what does not fit the table, and what its rows reject with', async () => {
    const path = join(folder.path, 'x');
    await expect(
      fileSteps.write(
        path,
        'discovery_events',
        (async function* () {
          yield { ...row(1), port: 'many' };
        })(),
      ),
    ).rejects.toThrow(Error);
    await expect(
      fileSteps.write(
        path,
        'discovery_events',
        (async function* () {
          yield row(1);
          throw new Error('the source is gone');
        })(),
      ),
    ).rejects.toThrow('the source is gone');
  });

  it('gives no finished name that is taken', async () => {
    const [from, to] = [join(folder.path, 'a'), join(folder.path, 'b')];
    for (const [path, count] of [
      [from, 1],
      [to, 2],
    ] as const)
      await fileSteps.write(path, 'discovery_events', rows(count));
    await expect(fileSteps.publish(from, to)).rejects.toThrow(/not overwritten/);
    expect(await rowCount(to)).toBe(2);
  });
});
