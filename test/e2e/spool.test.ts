import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openSqlite } from '../../src/io/storage/sqlite/sqlite.ts';
import { figuresFromParquet, rowCounts } from '../support/e2e/stored.ts';
import { everythingTaken } from '../support/e2e/stream.ts';
import { valtrack } from '../support/e2e/valtrack.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';

const NODES = 8;

let folder: Awaited<ReturnType<typeof tempDir>>;
beforeAll(async () => {
  folder = await tempDir();
});
afterAll(() => folder.remove());

/** Events that NATS has not got yet. */
async function eventsWaiting(dataDir: string): Promise<number> {
  const database = await openSqlite(join(dataDir, 'sentry.sqlite'), { readOnly: true });
  const row = await database.get<{ events: number }>(`SELECT count(*) AS events FROM event_log_entries
     WHERE position > (SELECT cursor FROM event_log_durables WHERE name = 'forwarder')`);
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
      ...['--network', 'devnet', '--nodes', String(NODES), '--slot-ms', '100', '--http-port', '0'],
    ]);
    const { url: readyz } = await sentry.line(({ msg }) => msg === 'serving health');
    await sentry.line(({ msg }) => msg === `${NODES} of ${NODES} devnet nodes observed`);
    expect(sentry.log).toContainEqual(
      expect.objectContaining({
        level: 40,
        msg: expect.stringMatching(/^no NATS server can be reached at 127/) as string,
      }),
    );
    // One announcement and one observation each, at least.
    expect(await eventsWaiting(dataDir)).toBeGreaterThanOrEqual(2 * NODES);
    const answer = await fetch(String(readyz));
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({
      ready: false,
      reasons: ['no NATS server can be reached'],
    });
    const metrics = await (await fetch(String(readyz).replace('/readyz', '/metrics'))).text();
    expect(Number(/^valtrack_event_log_entries (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThanOrEqual(2 * NODES);

    await nats.start();
    const consumerDir = join(folder.path, 'consumer');
    const consumer = valtrack(['consumer', '--nats-url', nats.url, '--data-dir', consumerDir, '--http-port', '0']);
    const url = await consumer.url();
    await vi.waitFor(
      async () => {
        expect(((await (await fetch(`${url}/validators`)).json()) as unknown[]).length).toBe(NODES);
        expect(await eventsWaiting(dataDir)).toBe(0);
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

it('a sentry whose spool is full pauses, deletes nothing, and goes on by itself when there is room', async () => {
  const MAX_BYTES = 20_000;
  const nats = await startNatsServer();
  await nats.kill();
  try {
    const dataDir = join(folder.path, 'full');
    const sentry = valtrack([
      ...['sentry', '--nats-url', nats.url, '--data-dir', dataDir, '--spool-max-bytes', `${MAX_BYTES}B`],
      ...['--network', 'devnet', '--nodes', String(NODES), '--slot-ms', '50'],
    ]);
    // So small a log may be full before anybody could warn.
    await sentry.line(({ level, msg }) => level === 50 && msg.includes('the crawl pauses'), 60_000);
    const paused = await idsOnDisk(dataDir);
    expect(paused.bytes).toBeLessThanOrEqual(MAX_BYTES);
    expect(paused.bytes).toBeGreaterThan(0.8 * MAX_BYTES);

    await nats.start();
    const consumerDir = join(folder.path, 'full-consumer');
    const consumer = valtrack(['consumer', '--nats-url', nats.url, '--data-dir', consumerDir, '--http-port', '0']);
    await sentry.line(({ msg }) => msg.endsWith('has room again') || msg.endsWith('written to disk again'), 60_000);
    // Observed on, after the pause.
    await vi.waitFor(
      async () => {
        const stored = await metadataOf(consumerDir);
        expect(stored.observations).toBeGreaterThan(paused.ids.length);
      },
      { timeout: 60_000, interval: 500 },
    );
    expect(await sentry.stop()).toBe(0);
    await everythingTaken(nats.url);
    expect(await consumer.stop()).toBe(0);
    const [observations, announcements] = await Promise.all([
      rowCounts(consumerDir, 'metadata_events'),
      rowCounts(consumerDir, 'discovery_events'),
    ]);
    expect(observations.rows).toBe(observations.ids);
    expect(announcements.rows).toBe(announcements.ids);
    const [published] = /[\d,]+(?= events were published)/.exec(sentry.stdout()) ?? [];
    expect(observations.rows + announcements.rows).toBe(Number(published?.replaceAll(',', '')));
  } finally {
    await nats.dispose();
  }
}, 240_000);

async function idsOnDisk(dataDir: string): Promise<{ ids: string[]; bytes: number }> {
  const database = await openSqlite(join(dataDir, 'sentry.sqlite'), { readOnly: true });
  const rows = await database.all<{ event_id: string; bytes: number }>(
    'SELECT event_id, length(payload) AS bytes FROM event_log_entries',
  );
  await database.close();
  return { ids: rows.map((row) => row.event_id), bytes: rows.reduce((sum, row) => sum + row.bytes, 0) };
}

async function metadataOf(dataDir: string): Promise<{ observations: number }> {
  const database = await openSqlite(join(dataDir, 'validator_tracker.sqlite'), { readOnly: true });
  const row = await database.get<{ observations: number }>(
    'SELECT coalesce(sum(num_observations), 0) AS observations FROM validator_tracker',
  );
  await database.close();
  return row ?? { observations: 0 };
}
