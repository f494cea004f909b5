import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type NatsEventLog, natsEventLog } from '../../../../src/io/event-log/nats/log.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { collect, entries, idsOf } from '../../../support/event-log/contract.ts';
import { startNatsServer, type TestNatsServer } from '../../../support/nats-server.ts';
import { startProxy, type TestProxy } from '../../../support/tcp-proxy.ts';

/** A network that breaks without anybody being told. */

const PING_MS = 200;
const WAIT = { timeout: 20_000, interval: 10 };

let server: TestNatsServer;
let proxy: TestProxy;
let log: NatsEventLog;
let lines: string[];

beforeEach(async () => {
  lines = [];
  server = await startNatsServer();
  proxy = await startProxy(server.url);
  log = await natsEventLog({
    url: proxy.url,
    logger: createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) }),
    durables: ['a'],
    appendTimeoutMs: 1_000,
    pingIntervalMs: PING_MS,
  });
});

afterEach(async () => {
  await log.close();
  await proxy.close();
  await server.dispose();
});

const appended = (from: number, count: number) => vi.waitFor(() => log.append(entries(from, count)), WAIT);

describe.each(['up', 'down'] as const)('a connection through which nothing goes %s', (direction) => {
  it('is noticed after three pings, and everything goes on once it is whole', async () => {
    const got = collect(log, 'a');
    await log.append(entries(0, 10));
    await got.count(10);
    const brokenMs = Date.now();
    proxy.blackhole(direction);
    await vi.waitFor(() => expect(log.problem()).toContain('not connected to NATS'), WAIT);
    expect(Date.now() - brokenMs).toBeGreaterThan(PING_MS);
    // Up to one interval until the first ping, two more, and a machine that has other things to do.
    expect(Date.now() - brokenMs).toBeLessThan(20 * PING_MS);
    await expect(log.append(entries(10, 10))).rejects.toThrow('NATS');
    proxy.heal();
    await appended(10, 10);
    await vi.waitFor(() => expect(new Set(idsOf(got.received))).toEqual(new Set(idsOf(entries(0, 20)))), WAIT);
    expect(log.problem()).toBeNull();
    expect(got.ended()).toBe('no');
  });
});

it('a network that is cut comes back by itself', async () => {
  const got = collect(log, 'a');
  proxy.cut();
  await vi.waitFor(() => expect(lines.join()).toContain('connection to NATS lost'), WAIT);
  proxy.heal();
  await appended(0, 10);
  await got.count(10);
});

it('a slow network is only slow', async () => {
  proxy.delay(50);
  const got = collect(log, 'a');
  await log.append(entries(0, 300));
  await got.count(300);
  expect(idsOf(got.received)).toEqual(idsOf(entries(0, 300)));
  expect(lines.join()).not.toContain('lost');
});
