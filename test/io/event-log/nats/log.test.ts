import { createHash } from 'node:crypto';
import { AckPolicy, connect, type JetStreamManager, nanos, RetentionPolicy, StorageType } from 'nats';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventLogConfigError, EventLogUnreachableError } from '../../../../src/io/event-log/nats/errors.ts';
import { natsEventLog } from '../../../../src/io/event-log/nats/log.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import type { EventLog, LogEntry } from '../../../../src/streams/ports/event-log.ts';
import { collect, entries, entry, idsOf, WAIT } from '../../../support/event-log/contract.ts';
import { startNatsServer, type TestNatsServer } from '../../../support/nats-server.ts';

const SUBJECTS = ['events.metadata_received', 'events.peer_discovered'];

let server: TestNatsServer;
let lines: string[];
let cleanUp: (() => Promise<void>)[];

beforeEach(async () => {
  server = await startNatsServer();
  lines = [];
  cleanUp = [];
});

afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
  await server.dispose();
});

type Options = Partial<Parameters<typeof natsEventLog>[0]>;

async function openLog(options: Options = {}): Promise<EventLog> {
  const logger = createLogger({ level: 'debug', format: 'json', write: (line) => lines.push(line) });
  const log = await natsEventLog({ url: server.url, logger, durables: ['a'], appendTimeoutMs: 500, ...options });
  cleanUp.push(() => log.close());
  return log;
}

/** Another program on the same server. */
async function other() {
  const connection = await connect({ servers: server.url });
  cleanUp.push(() => connection.close());
  return { connection, jsm: await connection.jetstreamManager() };
}

/** What a stream made by the Go program looks like: name, subjects and retention, everything else left out. */
function addGoStream(jsm: JetStreamManager) {
  return jsm.streams.add({ name: 'EVENTS', retention: RetentionPolicy.Interest, subjects: SUBJECTS });
}

/** Appends again and again until it works, as the forwarder does. */
async function appendUntilStored(log: EventLog, list: readonly LogEntry[]): Promise<void> {
  await vi.waitFor(() => log.append(list), { timeout: 20_000, interval: 50 });
}

describe('what it makes on the server', () => {
  it('is the stream of the contract, with the durables, before anything is published', async () => {
    const log = await openLog({ durables: ['a', 'b'] });
    const { jsm } = await other();
    const { config, created } = await jsm.streams.info('EVENTS');
    expect(config.retention).toBe('interest');
    expect(config.storage).toBe('file');
    expect([...config.subjects].sort()).toEqual(SUBJECTS);
    expect(log.id).toBe(`nats:EVENTS:${created}`);
    for (const durable of ['a', 'b']) {
      const { config: consumer } = await jsm.consumers.info('EVENTS', durable);
      expect(consumer).toMatchObject({ durable_name: durable, ack_policy: 'explicit', deliver_policy: 'all' });
      expect(consumer.ack_wait).toBe(nanos(30_000));
      expect(consumer.deliver_subject).toBeUndefined();
    }
  });

  it('takes the largest event there may be, and nothing much larger from anybody, which would have to be held in memory', async () => {
    const log = await openLog();
    const largest = {
      ...entry(0),
      eventId: `run:${'0'.repeat(200)}`,
      payload: new Uint8Array(64 * 1024).fill(32),
    };
    await log.append([largest]);
    const { connection } = await other();
    const larger = connection.jetstream().publish('events.peer_discovered', new Uint8Array(80 * 1024));
    await expect(larger).rejects.toThrow(/message size/);
  });

  it('lets a durable have maxInFlight unacknowledged messages', async () => {
    const log = await openLog();
    await log.append(entries(0, 10));
    const got = collect(log, 'a', { maxInFlight: 3, ack: false });
    await got.count(3);
    const { jsm } = await other();
    const info = await jsm.consumers.info('EVENTS', 'a');
    expect(info.config.max_ack_pending).toBe(3);
    expect(info.num_ack_pending).toBe(3);
  });

  it('forgets what every durable has acknowledged', async () => {
    const log = await openLog();
    await log.append(entries(0, 10));
    const got = collect(log, 'a');
    await got.count(10);
    const { jsm } = await other();
    await vi.waitFor(async () => expect((await jsm.streams.info('EVENTS')).state.messages).toBe(0), WAIT);
  });
});

describe('beside another program', () => {
  it('takes the stream and the durable of the Go program as they are', async () => {
    const { jsm } = await other();
    const before = await addGoStream(jsm);
    await jsm.consumers.add('EVENTS', {
      name: 'a',
      durable_name: 'a',
      description: 'Consumes valtrack events',
      ack_policy: AckPolicy.Explicit,
    });
    const log = await openLog();
    await log.append(entries(0, 3));
    const got = collect(log, 'a');
    await got.count(3);
    const after = await jsm.streams.info('EVENTS');
    expect(after.config).toEqual(before.config);
    expect(after.created).toBe(before.created);
  });

  it('publishes with the event id as Nats-Msg-Id', async () => {
    const log = await openLog();
    const { connection } = await other();
    const headers: (string | undefined)[] = [];
    connection.subscribe('events.>', { callback: (_, message) => headers.push(message.headers?.get('Nats-Msg-Id')) });
    await connection.flush();
    await log.append(entries(0, 3));
    await vi.waitFor(() => expect(headers).toEqual(['run:0', 'run:1', 'run:2']), WAIT);
  });

  it('gives an event without an id one of its content', async () => {
    const log = await openLog();
    const { connection } = await other();
    await connection.jetstream().publish('events.peer_discovered', '{"id":"16U"}');
    const got = collect(log, 'a');
    await got.count(1);
    const digest = createHash('sha256').update('events.peer_discovered\n{"id":"16U"}').digest('base64url');
    expect(got.received[0]?.eventId).toBe(`sha256-${digest}`);
  });

  it.each([
    ['limits retention', { retention: RetentionPolicy.Limits, subjects: SUBJECTS }, 'limits retention, not interest'],
    [
      'a missing subject',
      { retention: RetentionPolicy.Interest, subjects: ['events.peer_discovered'] },
      'events.metadata_received',
    ],
    [
      'memory storage',
      { retention: RetentionPolicy.Interest, subjects: SUBJECTS, storage: StorageType.Memory },
      'in memory',
    ],
  ])('refuses a stream with %s and says what to do', async (_, config, reason) => {
    const { jsm } = await other();
    await jsm.streams.add({ name: 'EVENTS', ...config });
    const error = await openLog().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(EventLogConfigError);
    expect(String(error)).toContain(reason);
    expect(String(error)).toMatch(/nats stream (rm|edit) EVENTS/);
  });

  it('takes a stream whose wildcard covers both subjects', async () => {
    const { jsm } = await other();
    await jsm.streams.add({ name: 'EVENTS', retention: RetentionPolicy.Interest, subjects: ['events.*'] });
    const log = await openLog();
    await log.append(entries(0, 2));
    await collect(log, 'a').count(2);
  });

  it('refuses a durable that takes only some subjects', async () => {
    const { jsm } = await other();
    await addGoStream(jsm);
    await jsm.consumers.add('EVENTS', {
      durable_name: 'a',
      ack_policy: AckPolicy.Explicit,
      filter_subject: 'events.peer_discovered',
    });
    await expect(openLog()).rejects.toThrow(/only some subjects.*nats consumer rm EVENTS a/);
  });
});

describe('at start', () => {
  it('says where it looked when no server is there, without the credentials', async () => {
    await server.kill();
    const error = await openLog({ url: `nats://me:secret@127.0.0.1:${server.port}` }).catch(
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(EventLogUnreachableError);
    expect(String(error)).toContain(`127.0.0.1:${server.port}`);
    expect(String(error) + lines.join()).not.toContain('secret');
  });

  it('waits for the server when asked to, and says so', async () => {
    await server.kill();
    const opening = openLog({ waitOnFirstConnect: true });
    await vi.waitFor(() => expect(lines.join()).toContain('no NATS server can be reached'), WAIT);
    await server.start();
    const log = await opening;
    await log.append(entries(0, 1));
  });

  it('stops waiting when aborted', async () => {
    await server.kill();
    const stop = new AbortController();
    const opening = openLog({ waitOnFirstConnect: true, signal: stop.signal });
    await vi.waitFor(() => expect(lines.length).toBeGreaterThan(0), WAIT);
    stop.abort(new Error('stopped by the user'));
    await expect(opening).rejects.toThrow('stopped by the user');
  });

  it('says that JetStream is not enabled', async () => {
    const plain = await startNatsServer({ jetstream: false });
    cleanUp.push(plain.dispose);
    await expect(openLog({ url: plain.url })).rejects.toThrow(/JetStream.*-js/);
  });

  it('logs in with what the address says, and never writes it down', async () => {
    const guarded = await startNatsServer({ login: { user: 'me', pass: 'pass/word' } });
    cleanUp.push(guarded.dispose);
    const log = await openLog({ url: `nats://me:pass%2Fword@127.0.0.1:${guarded.port}` });
    await log.append(entries(0, 1));
    await expect(openLog({ url: `nats://me:wrongword@127.0.0.1:${guarded.port}` })).rejects.toThrow('reached');
    expect(lines.join()).not.toMatch(/pass(\/|%2F)word|wrongword/);
  });
});

describe('when the server goes away', () => {
  it('rejects an append in time, and takes it once the server is back', async () => {
    const log = await openLog();
    await log.append(entries(0, 5));
    await server.kill('SIGKILL');
    await expect(log.append(entries(5, 5))).rejects.toBeInstanceOf(EventLogUnreachableError);
    await server.start();
    await appendUntilStored(log, entries(5, 5));
    const got = collect(log, 'a');
    await got.count(10);
    expect(idsOf(got.received)).toEqual(idsOf(entries(0, 10)));
    expect(lines.join()).toContain('connection to NATS lost');
    expect(lines.join()).toContain('connected to NATS again');
  });

  it('loses, doubles and reorders nothing when it is killed in the middle of an append', async () => {
    const log = await openLog();
    const appending = Array.from({ length: 4 }, (_, batch) => log.append(entries(batch * 1250, 1250)));
    await appending[0];
    await server.kill('SIGKILL');
    const outcomes = await Promise.allSettled(appending);
    expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true);
    await server.start();
    for (const [batch, { status }] of outcomes.entries()) {
      if (status === 'rejected') await appendUntilStored(log, entries(batch * 1250, 1250));
    }
    const got = collect(log, 'a');
    await got.count(5000);
    expect(idsOf(got.received)).toEqual(idsOf(entries(0, 5000)));
  });

  it('goes on delivering after a restart', async () => {
    const log = await openLog({ ackWaitMs: 2000 });
    await log.append(entries(0, 300));
    const got = collect(log, 'a', { maxInFlight: 20, ack: false });
    await got.count(20);
    await server.kill('SIGKILL');
    await server.start();
    await appendUntilStored(log, entries(300, 10));
    const seen = new Set<string>();
    await vi.waitFor(() => {
      for (const delivery of got.received) {
        seen.add(delivery.eventId);
        delivery.ack();
      }
      expect(seen.size).toBe(310);
    }, WAIT);
    expect(got.ended()).toBe('no');
  });

  it('keeps the same id over a restart', async () => {
    const log = await openLog();
    const { id } = log;
    await server.kill();
    await server.start();
    await appendUntilStored(log, entries(0, 1));
    expect(log.id).toBe(id);
  });
});

describe('when somebody removes things under it', () => {
  it('makes the stream anew under another id, and goes on', async () => {
    const log = await openLog();
    await log.append(entries(0, 3));
    const got = collect(log, 'a');
    await got.count(3);
    const { id } = log;
    const { jsm } = await other();
    await jsm.streams.delete('EVENTS');
    await vi.waitFor(() => expect(log.id).not.toBe(id), WAIT);
    await appendUntilStored(log, entries(3, 3));
    await got.count(6);
    expect(idsOf(got.received)).toEqual(idsOf(entries(0, 6)));
    expect(log.id).toBe(`nats:EVENTS:${(await jsm.streams.info('EVENTS')).created}`);
  });

  it('makes stream and durable anew for an append without a reader', async () => {
    const log = await openLog();
    await log.append(entries(0, 1));
    const { jsm } = await other();
    await jsm.streams.delete('EVENTS');
    await log.append(entries(1, 2));
    const got = collect(log, 'a');
    await got.count(2);
    expect(idsOf(got.received)).toEqual(idsOf(entries(1, 2)));
  });

  it('makes the durables of others anew with the stream, so that their consumers miss nothing', async () => {
    const log = await natsEventLog({
      url: server.url,
      logger: createLogger({ level: 'silent', format: 'json' }),
      durables: ['a'],
    });
    cleanUp.push(() => log.close());
    const second = await openLog({ durables: ['b'] });
    await second.close();
    await log.state();
    const { jsm } = await other();
    await jsm.streams.delete('EVENTS');
    // Whoever comes first makes the stream, and knows nothing of the others.
    await addGoStream(jsm);
    const { session } = await log.state();
    await log.publish(entries(0, 3), { session, isRepeated: false });
    expect((await jsm.consumers.info('EVENTS', 'b')).num_pending).toBe(3);
    // Whoever removes one of them by hand means it.
    await jsm.consumers.delete('EVENTS', 'b');
    await log.state();
    await jsm.streams.delete('EVENTS');
    await log.state();
    expect((await jsm.consumers.list('EVENTS').next()).map(({ name }) => name)).toEqual(['a']);
  });

  it('makes the durable anew', async () => {
    const log = await openLog();
    const got = collect(log, 'a');
    await log.append(entries(0, 3));
    await got.count(3);
    const { jsm } = await other();
    await jsm.consumers.delete('EVENTS', 'a');
    await vi.waitFor(async () => expect((await jsm.consumers.info('EVENTS', 'a')).name).toBe('a'), WAIT);
    await log.append(entries(3, 3));
    await got.count(6);
  });
});

it('keeps a message for itself while its effect takes longer than the ack wait', async () => {
  const log = await openLog({ ackWaitMs: 600 });
  const { connection, jsm } = await other();
  let extensions = 0;
  connection.subscribe('$JS.ACK.EVENTS.a.>', {
    callback: (_, message) => {
      if (message.string() === '+WPI') extensions += 1;
    },
  });
  await connection.flush();
  await log.append([entry(0)]);
  const got = collect(log, 'a', { ack: false });
  // Every third of the ack wait: six are twice the ack wait.
  await vi.waitFor(() => expect(extensions).toBeGreaterThanOrEqual(6), WAIT);
  expect((await jsm.consumers.info('EVENTS', 'a')).num_redelivered).toBe(0);
  expect(got.received.length).toBe(1);
});

it('refuses an address that is none, without repeating its credentials', async () => {
  await expect(openLog({ url: 'http://me:secret@host:4222' })).rejects.toThrow(/^(?!.*secret).*nats:\/\/host:4222/);
});
