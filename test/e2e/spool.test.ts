import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openSqlite } from '../../src/io/sqlite.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { figuresFromParquet, rowCounts } from './support/stored.ts';
import { everythingTaken } from './support/stream.ts';
import { valtrack } from './support/valtrack.ts';

const NODES = 8;

let folder: Awaited<ReturnType<typeof tempDir>>;
beforeAll(async () => {
  folder = await tempDir();
});
afterAll(() => folder.remove());

async function eventsOnDisk(dataDir: string): Promise<number> {
  const database = await openSqlite(join(dataDir, 'sentry.sqlite'), { readOnly: true });
  const row = await database.get<{ events: number }>('SELECT count(*) AS events FROM event_log_entries');
  await database.close();
  return row?.events ?? 0;
}

it('a sentry crawls on while NATS is away, and publishes what waited on disk once it is there', async () => {
  const nats = await startNatsServer();
  await nats.kill();
  try {
    const dataDir = join(folder.path, 'sentry');
    const sentry = valtrack([
      ...['sentry', '--nats-url', nats.url, '--data-dir', dataDir],
      ...['--network', 'devnet', '--nodes', String(NODES), '--slot-ms', '100'],
    ]);
    await sentry.line(({ msg }) => msg === `${NODES} of ${NODES} devnet nodes observed`);
    expect(sentry.log).toContainEqual(
      expect.objectContaining({
        level: 40,
        msg: expect.stringMatching(/^no NATS server can be reached at 127/) as string,
      }),
    );
    // One announcement and one observation each, at least.
    expect(await eventsOnDisk(dataDir)).toBeGreaterThanOrEqual(2 * NODES);

    await nats.start();
    const consumerDir = join(folder.path, 'consumer');
    const consumer = valtrack(['consumer', '--nats-url', nats.url, '--data-dir', consumerDir, '--http-port', '0']);
    const url = await consumer.url();
    await vi.waitFor(
      async () => {
        expect(((await (await fetch(`${url}/validators`)).json()) as unknown[]).length).toBe(NODES);
        expect(await eventsOnDisk(dataDir)).toBe(0);
      },
      { timeout: 30_000, interval: 200 },
    );
    expect(await sentry.stop()).toBe(0);
    await everythingTaken(nats.url);
    expect(await consumer.stop()).toBe(0);
    const [published] = /[\d,]+(?= events were published)/.exec(sentry.stdout()) ?? [];
    const [observations, announcements] = await Promise.all([
      rowCounts(consumerDir, 'metadata_events'),
      rowCounts(consumerDir, 'discovery_events'),
    ]);
    expect(observations.rows).toBe(observations.ids);
    expect(announcements.rows).toBe(announcements.ids);
    expect(observations.rows + announcements.rows).toBe(Number(published?.replaceAll(',', '')));
    expect(await figuresFromParquet(consumerDir)).toHaveLength(NODES);
  } finally {
    await nats.dispose();
  }
}, 90_000);
