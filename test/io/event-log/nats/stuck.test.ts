import { copyFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { AckPolicy, connect, type JetStreamManager, type NatsConnection, nanos, RetentionPolicy } from 'nats';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type NatsEventLog, natsEventLog } from '../../../../src/io/event-log/nats/log.ts';
import { natsTopology } from '../../../../src/io/event-log/nats/topology.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { collect, entries, idsOf } from '../../../support/event-log/contract.ts';
import { startNatsServer, type TestNatsServer } from '../../../support/nats-server.ts';

/**
 * A durable as `kill -9` of nats-server 2.9 leaves it behind: the durable still waits for acknowledgements of messages
 * that the stream has removed. They are tried one by one, each time instead of one that is there.
 */

const ACK_WAIT_MS = 1_000;
const GONE = 300;
const WAIT = { timeout: 20_000, interval: 20 };

let server: TestNatsServer;
let connection: NatsConnection;
let jsm: JetStreamManager;
let lines: string[];
let cleanUp: (() => Promise<void>)[];

beforeEach(async () => {
  server = await startNatsServer();
  lines = [];
  cleanUp = [];
  connection = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  // A question that is asked while the server is away has no answer.
  jsm = await connection.jetstreamManager({ timeout: 500 });
});

afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
  await connection.close();
  await server.dispose();
});

/** What `b` never reads keeps the stream's first message where it is, and with it what `a` waits for. */
async function openLog(durables = ['a', 'b']): Promise<NatsEventLog> {
  const logger = createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) });
  const log = await natsEventLog({ url: server.url, logger, durables, ackWaitMs: ACK_WAIT_MS });
  cleanUp.push(() => log.close());
  return log;
}

const durables = async () => (await jsm.consumers.list('EVENTS').next()).map(({ name }) => name).sort();

/**
 * Somebody takes messages and is gone; all but the first of them leave the stream, and the durable on disk is that of
 * before, as it is when a server is killed.
 */
async function leaveGone(): Promise<void> {
  const log = await openLog();
  await log.append(entries(0, GONE));
  await log.close();
  const taker = await connection.jetstream().consumers.get('EVENTS', 'a');
  const taken: number[] = [];
  for await (const message of await taker.fetch({ max_messages: GONE })) taken.push(message.seq);
  expect(taken).toHaveLength(GONE);
  const state = join(server.storeDir, 'jetstream/$G/streams/EVENTS/obs/a/o.dat');
  await server.kill('SIGTERM');
  await copyFile(state, `${state}.before`);
  await restarted();
  for (const seq of taken.slice(1)) await jsm.streams.deleteMessage('EVENTS', seq, false);
  await server.kill('SIGTERM');
  await rename(`${state}.before`, state);
  await restarted();
}

async function restarted(): Promise<void> {
  await server.start();
  await vi.waitFor(() => jsm.streams.info('EVENTS'), WAIT);
}

it('is made anew, and gives everything that is there', async () => {
  await leaveGone();
  const log = await openLog();
  const got = collect(log, 'a');
  await log.append(entries(GONE, 20));
  const there = [...idsOf(entries(0, 1)), ...idsOf(entries(GONE, 20))];
  await vi.waitFor(() => expect(new Set(idsOf(got.received))).toEqual(new Set(there)), WAIT);
  await vi.waitFor(async () => {
    const info = await jsm.consumers.info('EVENTS', 'a');
    expect([info.num_pending, info.num_ack_pending]).toEqual([0, 0]);
  }, WAIT);
  expect(lines.join()).toContain('made the NATS durable anew');
  expect(await durables()).toEqual(['a', 'b']);
});

it('is made anew under full traffic too, so that its ack floor goes on', async () => {
  await leaveGone();
  const log = await openLog();
  const got = collect(log, 'a');
  let sent = GONE;
  // Each message that arrives makes the server try once more.
  await vi.waitFor(async () => {
    await log.append(entries(sent, 5));
    sent += 5;
    const { ack_floor: floor } = await jsm.consumers.info('EVENTS', 'a');
    expect(floor.stream_seq).toBeGreaterThan(GONE);
  }, WAIT);
  const there = [...idsOf(entries(0, 1)), ...idsOf(entries(GONE, sent - GONE))];
  await vi.waitFor(() => expect(new Set(idsOf(got.received))).toEqual(new Set(there)), WAIT);
});

it('keeps its settings when it is made anew', async () => {
  await jsm.streams.add({ name: 'EVENTS', retention: RetentionPolicy.Interest, subjects: ['events.*'] });
  const settings = { ack_wait: nanos(ACK_WAIT_MS), max_deliver: 50, description: 'Consumes valtrack events' };
  await jsm.consumers.add('EVENTS', { durable_name: 'a', ack_policy: AckPolicy.Explicit, ...settings });
  await leaveGone();
  const log = await openLog();
  const got = collect(log, 'a', { maxInFlight: 77 });
  await got.count(1);
  await vi.waitFor(() => expect(lines.join()).toContain('made the NATS durable anew'), WAIT);
  const { config } = await jsm.consumers.info('EVENTS', 'a');
  expect(config).toMatchObject({
    durable_name: 'a',
    ack_wait: nanos(ACK_WAIT_MS),
    max_deliver: 50,
    max_ack_pending: 77,
  });
});

it('loses nothing when who makes it anew is killed in the middle', async () => {
  const log = await openLog(['a']);
  await log.append(entries(0, 10));
  // As far as one who was killed after the second step may have come.
  await jsm.consumers.add('EVENTS', { durable_name: 'a-renewing', ack_policy: AckPolicy.Explicit });
  await jsm.consumers.delete('EVENTS', 'a');
  expect((await jsm.streams.info('EVENTS')).state.messages).toBe(10);
  const got = collect(log, 'a');
  await got.count(10);
  await vi.waitFor(async () => expect((await jsm.streams.info('EVENTS')).state.messages).toBe(0), WAIT);
  expect(await durables()).toEqual(['a']);
});

it('is made by the next attempt when the one before came no further than removing it', async () => {
  const logger = createLogger({ level: 'silent', format: 'json' });
  const topology = await natsTopology(jsm, { durables: ['a'], replicas: 1, servers: 'here', logger });
  await jsm.consumers.delete('EVENTS', 'a');
  await topology.renewDurable('a');
  await topology.ensureDurable('a', { maxAckPending: 10, saysApplied: false });
  expect(await durables()).toEqual(['a']);
});

it('is another one to those who publish when somebody has taken its keeper away meanwhile', async () => {
  const logger = createLogger({ level: 'silent', format: 'json' });
  const topology = await natsTopology(jsm, { durables: ['a'], replicas: 1, servers: 'here', logger });
  const before = topology.incarnation;
  await topology.renewDurable('a');
  await topology.ensure();
  expect(topology.incarnation).toBe(before);
  // As the server tells of each step, so that it is done before the last one.
  const robbed = Promise.withResolvers<void>();
  connection.subscribe('$JS.EVENT.ADVISORY.CONSUMER.CREATED.EVENTS.a-renewing', {
    max: 1,
    callback: () => jsm.consumers.delete('EVENTS', 'a-renewing').then(() => robbed.resolve(), robbed.reject),
  });
  await connection.flush();
  await topology.renewDurable('a');
  await robbed.promise;
  await topology.ensure();
  expect(topology.incarnation).not.toBe(before);
});
