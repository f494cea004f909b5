import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { natsEventLog } from '../../src/io/event-log/nats/log.ts';
import { createLogger } from '../../src/io/logging/logger.ts';
import { openTracker } from '../../src/io/storage/tracker/database.ts';
import { quietNetwork } from '../support/e2e/quiet-network.ts';
import { rowCounts } from '../support/e2e/stored.ts';
import { everythingTaken } from '../support/e2e/stream.ts';
import { valtrack, valtrackDone } from '../support/e2e/valtrack.ts';
import { entry, wireObservation } from '../support/events.ts';
import { startNatsServer, type TestNatsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Two processes on one data folder: only one may work, and the files must never show that there were two. */

const EVENTS = 2_000;
const BATCH = 50;
/** A killed consumer's deliveries come back after this. */
const ACK_WAIT_MS = 1_000;

let folder: Awaited<ReturnType<typeof tempDir>>;
let network: string;
let nats: TestNatsServer;
beforeAll(async () => {
  folder = await tempDir();
  network = await quietNetwork(folder.path);
  nats = await startNatsServer();
  // Makes the durable, with its ack wait.
  await publish(0, 0);
});
afterAll(async () => {
  await nats.dispose();
  await folder.remove();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function readiness(port: number): Promise<{ status: number; reasons: string[] }> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  return { status: response.status, reasons: ((await response.json()) as { reasons: string[] }).reasons };
}

/** Publishes events as several peers would make them, each observed many times. */
async function publish(from: number, to: number): Promise<void> {
  const log = await natsEventLog({
    url: nats.url,
    logger: createLogger({ level: 'silent', format: 'json' }),
    durables: ['consumer-valtrack'],
    ackWaitMs: ACK_WAIT_MS,
  });
  for (let first = from; first < to; first += BATCH) {
    const sequences = Array.from({ length: BATCH }, (_, index) => first + index);
    await log.append(
      sequences.map((sequence) => {
        const id = `ledger:${sequence}`;
        return entry(id, wireObservation({ id: `peer-${sequence % 7}`, event_id: id, timestamp: Date.now() }));
      }),
    );
  }
  await log.close();
}

/** Waits until a consumer has applied more than so many events. */
async function applied(url: URL, events: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const page = await (await fetch(new URL('/metrics', url))).text();
      expect(Number(/valtrack_events_total\{outcome="applied"\} (\d+)/.exec(page)?.[1])).toBeGreaterThan(events);
    },
    { interval: 10 },
  );
}

/** Applied once each, in the view and in the files. */
async function expectLedger(dataDir: string, events: number): Promise<void> {
  const tracker = await openTracker(dataDir);
  const row = await tracker.reader.get<{ sum: number }>('SELECT sum(num_observations) AS sum FROM validator_tracker');
  await tracker.close();
  expect(row?.sum).toBe(events);
  expect(await rowCounts(dataDir, 'metadata_events')).toEqual({ rows: events, ids: events });
}

describe('a second process on a data folder', () => {
  it('is told so in one line when it would crawl or replay, and the first goes on', async () => {
    const dataDir = join(folder.path, 'crawled');
    const onFolder = ['--data-dir', dataDir];
    const crawling = ['--network', network, '--http-port', '0', ...onFolder];
    const first = valtrack(['run', ...crawling]);
    const url = await first.url();
    const line =
      `valtrack: the data folder ${dataDir} is in use by a running valtrack (pid ${first.child.pid}); ` +
      'stop it or give another --data-dir';
    const seconds = [
      ['run', ...crawling],
      ['sentry', '--network', network, '--nats-url', nats.url, ...onFolder],
      ['replay', '-', ...onFolder],
    ];
    for (const args of seconds) {
      const second = await valtrackDone(args, { stdin: '' });
      expect(second, args[0]).toMatchObject({ code: 1, said: [line], stdout: '' });
    }
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await first.stop('SIGKILL')).toBe(null);
    const next = valtrack(['run', ...crawling]);
    await next.url();
    expect(await next.stop()).toBe(0);
  }, 60_000);

  it('stands by when it would consume, and takes over from one that is killed: lost 0, repeated 0', async () => {
    const dataDir = join(folder.path, 'consumed');
    const port = await freePort();
    const args = ['consumer', '--nats-url', nats.url, '--data-dir', dataDir, '--http-port', String(port)];
    const first = valtrack(args);
    await first.url();
    const second = valtrack(args);
    await second.line(({ msg }) => msg === `standing by: another consumer works in ${dataDir}`);
    await second.line(({ msg }) => msg.startsWith('the HTTP port is in use'));

    await publish(0, EVENTS / 4);
    const publishing = publish(EVENTS / 4, EVENTS);
    await applied(new URL(`http://127.0.0.1:${port}`), EVENTS / 4);
    const killedAtMs = Date.now();
    expect(await first.stop('SIGKILL')).toBe(null);
    await second.line(({ msg }) => msg === 'the other consumer has ended; taking over');
    await second.url();
    expect(Date.now() - killedAtMs).toBeLessThan(10_000);
    await publishing;
    await everythingTaken(nats.url);
    expect(await readiness(port)).toEqual({ status: 200, reasons: [] });
    expect(await second.stop()).toBe(0);
    await expectLedger(dataDir, EVENTS);
  }, 90_000);

  it('says while it stands by that it does, at a port of its own, takes over from one that stops, and can be stopped', async () => {
    const dataDir = join(folder.path, 'handed-over');
    const args = ['consumer', '--nats-url', nats.url, '--data-dir', dataDir];
    const first = valtrack([...args, '--http-port', '0']);
    await first.url();
    const port = await freePort();
    const second = valtrack([...args, '--http-port', String(port)]);
    await second.line(({ msg }) => msg === 'serving health while standing by');
    expect(await readiness(port)).toEqual({
      status: 503,
      reasons: [`standing by: another consumer works in ${dataDir}`],
    });
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${port}/validators`)).status).toBe(503);

    const third = valtrack([...args, '--http-port', '0']);
    await third.line(({ msg }) => msg.startsWith('standing by'));
    expect(await third.stop()).toBe(0);
    expect(third.said).toEqual([]);

    // The one stops in the middle of its work, the other takes over, and is then cut off in the middle of its own.
    const publishing = publish(EVENTS, 1.5 * EVENTS);
    await applied(new URL(await first.url()), 1);
    expect(await first.stop()).toBe(0);
    await publishing;
    await second.line(({ msg }) => msg === 'serving');
    const publishingOn = publish(1.5 * EVENTS, 2 * EVENTS);
    await applied(new URL(`http://127.0.0.1:${port}`), 1);
    second.child.kill('SIGTERM');
    await second.line(({ msg }) => msg === 'stopping');
    await vi.waitFor(() => {
      second.child.kill('SIGINT');
      expect([0, 130]).toContain(second.child.exitCode);
    });
    await publishingOn;

    const last = valtrack([...args, '--http-port', '0']);
    await last.url();
    await everythingTaken(nats.url);
    expect(await last.stop()).toBe(0);
    await expectLedger(dataDir, EVENTS);
  }, 90_000);
});
