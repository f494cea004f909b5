import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type NatsEventLog, natsEventLog } from '../../../../src/io/event-log/nats/log.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { openSqlite } from '../../../../src/io/storage/sqlite/sqlite.ts';
import { collect, entries, idsOf } from '../../../support/event-log/contract.ts';
import { entry as eventEntry, wireObservation } from '../../../support/events.ts';
import { startNatsServer, type TestNatsServer } from '../../../support/nats-server.ts';
import { startProxy } from '../../../support/tcp-proxy.ts';
import { tempDir } from '../../../support/temp-dir.ts';

/** Two consumers on one durable: one reads, the other stands by. */

const TTL_MS = 900;
const EVENTS = 3_000;
/** Of test/support/nats-consumer-process.ts: what a consumer may have in hand when it is killed. */
const BATCH = 50;
const IN_FLIGHT = 200;
const PATIENT = { timeout: 40_000, interval: 20 };
const PROCESS = fileURLToPath(new URL('../../../support/nats-consumer-process.ts', import.meta.url));

let server: TestNatsServer;
let lines: string[];
let cleanUp: (() => Promise<unknown>)[];

beforeEach(async () => {
  server = await startNatsServer();
  lines = [];
  cleanUp = [server.dispose];
});

afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
});

async function openLog(options: Partial<Parameters<typeof natsEventLog>[0]> = {}): Promise<NatsEventLog> {
  const logger = createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) });
  const log = await natsEventLog({
    url: server.url,
    logger,
    durables: ['a'],
    appendTimeoutMs: 1_000,
    ackWaitMs: 1_000,
    lease: { ttlMs: TTL_MS, id: randomUUID() },
    ...options,
  });
  cleanUp.push(() => log.close());
  return log;
}

describe('two readers of one durable', () => {
  it('one reads, the other stands by and says so; it takes over at once when the first ends in good order', async () => {
    const one = await openLog();
    const read = collect(one, 'a');
    await one.append(entries(0, 10));
    await read.count(10);
    const two = await openLog();
    const taken = collect(two, 'a');
    await vi.waitFor(() => expect(two.problem()).toMatch(/^standing by: .*process \d+ has the durable a$/), PATIENT);
    await one.append(entries(10, 10));
    await read.count(20);
    expect(taken.received).toEqual([]);
    expect(one.problem()).toBeNull();
    expect(lines.filter((line) => line.includes('standing by'))).toHaveLength(1);

    const writer = await openLog();
    await one.close();
    await writer.append(entries(20, 10));
    await taken.count(10);
    expect(idsOf(taken.received)).toEqual(idsOf(entries(20, 10)));
    expect(two.problem()).toBeNull();
    expect(lines.join()).toContain('took over the durable');
  });

  it('the same one is not waited for when it was killed and starts again', async () => {
    const lease = { ttlMs: 60_000, id: 'the same' };
    const proxy = await startProxy(server.url);
    cleanUp.push(proxy.close);
    const one = await openLog({ lease, url: proxy.url });
    const before = collect(one, 'a');
    await one.append(entries(100, 1));
    await before.count(1);
    proxy.cut();
    const again = await openLog({ lease });
    await again.append(entries(0, 10));
    const read = collect(again, 'a');
    await vi.waitFor(() => expect(again.problem()).toBeNull(), PATIENT);
    await vi.waitFor(() => expect(new Set(idsOf(read.received)).size).toBe(10), PATIENT);
  });

  it('readers of two durables do not mind each other', async () => {
    const one = await openLog({ durables: ['a', 'b'] });
    const two = await openLog({ durables: ['a', 'b'] });
    const [of1, of2] = [collect(one, 'a'), collect(two, 'b')];
    await one.append(entries(0, 10));
    await Promise.all([of1.count(10), of2.count(10)]);
  });

  it('who is cut off stops by its own clock, and what it had in hand it neither keeps nor acknowledges', async () => {
    const proxy = await startProxy(server.url);
    cleanUp.push(proxy.close);
    const one = await openLog({ url: proxy.url, pingIntervalMs: 60_000 });
    const held = collect(one, 'a', { ack: false });
    const two = await openLog();
    await two.append(entries(0, 10));
    await held.count(10);
    const taken = collect(two, 'a');
    await vi.waitFor(() => expect(two.problem()).toContain('standing by'), PATIENT);
    expect(held.received.some((delivery) => delivery.isLapsed?.())).toBe(false);

    proxy.blackhole('up');
    proxy.blackhole('down');
    await vi.waitFor(() => expect(two.problem()).toBeNull(), PATIENT);
    // The first knew it before the second.
    expect(held.received.every((delivery) => delivery.isLapsed?.())).toBe(true);
    await taken.count(10);
    proxy.heal();
    for (const delivery of held.received) delivery.ack();
    await two.append(entries(10, 10));
    await vi.waitFor(() => expect(new Set(idsOf(taken.received))).toEqual(new Set(idsOf(entries(0, 20)))), PATIENT);
    expect(held.received).toHaveLength(10);
    await vi.waitFor(() => expect(one.problem()).toContain('standing by'), PATIENT);
  });

  it('goes on with the same one after NATS came back empty, if it is the first to ask', async () => {
    const one = await openLog();
    const read = collect(one, 'a');
    await one.append(entries(0, 10));
    await read.count(10);
    await server.kill('SIGKILL');
    await server.startEmpty();
    await vi.waitFor(() => one.append(entries(10, 10)), PATIENT);
    await vi.waitFor(() => expect(new Set(idsOf(read.received)).size).toBe(20), PATIENT);
    await vi.waitFor(() => expect(one.problem()).toBeNull(), PATIENT);
  });
});

/** A consumer in a process of its own, with a data folder of its own. */
async function startProcess(dataDir: string) {
  await mkdir(dataDir);
  const child: ChildProcess = spawn(process.execPath, [PROCESS, server.url, dataDir, 'a', String(TTL_MS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanUp.push(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  });
  const state = { applied: 0, standsBy: false };
  if (child.stdout === null) throw new Error('no output');
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'standing by') state.standsBy = true;
    else state.applied = Number(line);
  });
  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
  return { state, child, end };
}

/** Which peers are in a view: each event is about a peer of its own. */
async function peersOf(dataDir: string): Promise<Set<string>> {
  const database = await openSqlite(join(dataDir, 'validator_tracker.sqlite'), { readOnly: true });
  try {
    const rows = await database.all<{ peer_id: string; num_observations: number }>(
      'SELECT peer_id, num_observations FROM validator_tracker',
    );
    expect(rows.every((row) => row.num_observations === 1)).toBe(true);
    return new Set(rows.map((row) => row.peer_id));
  } finally {
    await database.close();
  }
}

function observations(from: number, count: number) {
  return Array.from({ length: count }, (_, index) => {
    const id = `peer${from + index}`;
    return eventEntry(`run:${from + index}`, wireObservation({ id, event_id: `run:${from + index}` }));
  });
}

describe('two consumers with a folder each', () => {
  it.each([
    ['ends in good order', 'SIGTERM', 0],
    ['is killed', 'SIGKILL', IN_FLIGHT],
    // A batch whose commit had begun when it fell asleep is in both views.
    ['sleeps for longer than its lease, and wakes up again', 'SIGSTOP', BATCH],
  ] as const)(
    'between them have every event, when the first %s',
    async (_, signal, mostInBoth) => {
      const dir = await tempDir();
      cleanUp.unshift(dir.remove);
      const [oneDir, twoDir] = [join(dir.path, 'one'), join(dir.path, 'two')];
      const writer = await openLog();
      const one = await startProcess(oneDir);
      await writer.append(observations(0, 100));
      await vi.waitFor(() => expect(one.state.applied).toBe(100), PATIENT);
      const two = await startProcess(twoDir);
      await vi.waitFor(() => expect(two.state.standsBy).toBe(true), PATIENT);

      const writing = writer.append(observations(100, EVENTS - 100));
      await vi.waitFor(() => expect(one.state.applied).toBeGreaterThan(500), PATIENT);
      expect(two.state.applied).toBe(0);
      if (signal === 'SIGSTOP') one.child.kill(signal);
      else await one.end(signal);
      await writing;
      await vi.waitFor(() => expect(two.state.applied).toBeGreaterThan(0), PATIENT);
      if (signal === 'SIGSTOP') {
        one.child.kill('SIGCONT');
        await vi.waitFor(() => expect(one.state.standsBy).toBe(true), PATIENT);
      }
      const union = async () => new Set([...(await peersOf(oneDir)), ...(await peersOf(twoDir))]).size;
      await vi.waitFor(async () => expect(await union()).toBe(EVENTS), PATIENT);
      if (signal === 'SIGSTOP') await one.end('SIGTERM');
      await two.end('SIGTERM');
      const [inOne, inTwo] = [await peersOf(oneDir), await peersOf(twoDir)];
      expect(inOne.size + inTwo.size - EVENTS).toBeLessThanOrEqual(mostInBoth);
      expect(inTwo.size).toBeGreaterThan(0);
    },
    90_000,
  );
});
