import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, nanos, RetentionPolicy } from 'nats';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type NatsEventLog, natsEventLog } from '../../../../src/io/event-log/nats/log.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { collect, entries, idsOf, WAIT } from '../../../support/event-log/contract.ts';
import { startNatsServer, type TestNatsServer } from '../../../support/nats-server.ts';
import { publishSpool } from '../../../support/spool-publishing.ts';
import { tempDir } from '../../../support/temp-dir.ts';

/** What NATS has confirmed and nobody has read yet stays in the spool, as the sentry runs it. */

const logger = createLogger({ level: 'silent', format: 'json' });
const LONG = { timeout: 25_000, interval: 20 };

let server: TestNatsServer;
let dir: Awaited<ReturnType<typeof tempDir>>;
let cleanUp: (() => Promise<void>)[];

beforeEach(async () => {
  server = await startNatsServer();
  dir = await tempDir();
  cleanUp = [];
});

afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
  await dir.remove();
  await server.dispose();
});

async function openNats(): Promise<NatsEventLog> {
  const nats = await natsEventLog({ url: server.url, logger, durables: ['reader'], appendTimeoutMs: 500 });
  cleanUp.push(() => nats.close());
  return nats;
}

/** The way of a sentry's events, from the spool on. */
async function startSentry() {
  const stream = await openNats();
  const { stop: stopPublishing, ...sentry } = await publishSpool({
    dir: dir.path,
    stream,
    logger,
    batchSize: 100,
    pollMs: 50,
  });
  let stopped = false;
  async function stop(): Promise<void> {
    if (stopped) return;
    stopped = true;
    await stopPublishing();
    await stream.close();
  }
  cleanUp.push(stop);
  const published = () => vi.waitFor(async () => expect((await sentry.spool.depth()).entries).toBe(0), LONG);
  return { ...sentry, published, stop };
}

/** Reads all there is, as a consumer that knows event ids does; each id once, in the order of first sight. */
async function readUntil(count: number): Promise<string[]> {
  const nats = await openNats();
  const got = collect(nats, 'reader');
  await vi.waitFor(() => expect(new Set(idsOf(got.received)).size).toBe(count), LONG);
  got.subscription.unsubscribe();
  return [...new Set(idsOf(got.received))];
}

describe('what NATS has confirmed', () => {
  it('stays until it has been read there, and counts apart from what waits', async () => {
    const { spool, published } = await startSentry();
    await spool.append(entries(0, 300));
    await published();
    expect(spool.kept().entries).toBe(300);
    await readUntil(300);
    await vi.waitFor(() => expect(spool.kept()).toEqual({ entries: 0, bytes: 0 }), LONG);
  });

  it('is published again when NATS comes back empty', async () => {
    const sentry = await startSentry();
    await sentry.spool.append(entries(0, 300));
    await sentry.published();
    await server.kill('SIGKILL');
    await sentry.spool.append(entries(300, 100));
    await server.startEmpty();
    expect(await readUntil(400)).toEqual(idsOf(entries(0, 400)));
    expect(sentry.changes).toEqual([{ from: 0, to: 300 }]);
    await vi.waitFor(() => expect(sentry.spool.kept().entries).toBe(0), LONG);
  });

  it('is published again when NATS came back empty while the sentry was away', async () => {
    const before = await startSentry();
    await before.spool.append(entries(0, 300));
    await before.published();
    await before.stop();
    await server.kill('SIGKILL');
    await server.startEmpty();
    await startSentry();
    expect(await readUntil(300)).toEqual(idsOf(entries(0, 300)));
  });

  it('is not published again when sentry and NATS come back as they were', async () => {
    const before = await startSentry();
    await before.spool.append(entries(0, 300));
    await before.published();
    // Certain: what is not yet is published once more.
    await vi.waitFor(async () => expect(await before.settled()).toBe(300), LONG);
    await before.stop();
    await server.kill('SIGKILL');
    await server.start();
    const sentry = await startSentry();
    await readUntil(300);
    await vi.waitFor(() => expect(sentry.spool.kept().entries).toBe(0), LONG);
    expect(sentry.changes).toEqual([]);
  });

  it.each(['stream', 'durable'])('is published again when the %s is removed by hand', async (what) => {
    const before = await manager();
    // As ours, but that it forgets ids soon: it would not take the same events again before it has.
    await before.jsm.streams.add({
      name: 'EVENTS',
      subjects: ['events.*'],
      retention: RetentionPolicy.Interest,
      duplicate_window: nanos(200),
    });
    await before.connection.close();
    const { spool, published, changes } = await startSentry();
    await spool.append(entries(0, 300));
    await published();
    const { connection, jsm } = await manager();
    if (what === 'stream') await jsm.streams.delete('EVENTS');
    else await jsm.consumers.delete('EVENTS', 'reader').catch(unlessItWasWriting);
    await vi.waitFor(() => expect(changes).toEqual([{ from: 0, to: 300 }]), LONG);
    await connection.close();
    expect(await readUntil(300)).toEqual(idsOf(entries(0, 300)));
  });

  it('is published again when NATS comes back with an older copy of its files', async () => {
    const { spool, published, changes, settled } = await startSentry();
    await spool.append(entries(0, 100));
    await published();
    const copy = join(dir.path, 'older');
    await server.kill('SIGTERM');
    await cp(server.storeDir, copy, { recursive: true });
    await server.start();
    await vi.waitFor(() => spool.append(entries(100, 100)), LONG);
    await published();
    // Certain: no longer of the last moments before the connection is lost.
    await vi.waitFor(async () => expect(await settled()).toBe(200), LONG);
    await server.kill('SIGKILL');
    await cp(copy, server.storeDir, { recursive: true, force: true });
    await rm(copy, { recursive: true });
    await server.start();
    await vi.waitFor(() => expect(changes).toEqual([{ from: 0, to: 200 }]), LONG);
    expect(new Set(await readUntil(200))).toEqual(new Set(idsOf(entries(0, 200))));
    await vi.waitFor(() => expect(spool.kept().entries).toBe(0), LONG);
  });

  it('is published again when it has left the stream, and the consumer says that it has not been applied', async () => {
    const { spool, published, changes, settled } = await startSentry();
    await spool.append(entries(0, 100));
    await published();
    await vi.waitFor(async () => expect(await settled()).toBe(100), LONG);
    const { connection, jsm } = await manager();
    cleanUp.push(() => connection.close());
    // As a server that was killed may do: of what it holds and has delivered to nobody, it drops the beginning.
    await jsm.streams.purge('EVENTS', { seq: 41 });
    const nats = await openNats();
    const applied = new Set<string>();
    const subscription = nats
      .deliveries({ durable: 'reader', maxInFlight: 1_000, applied: async () => applied })
      .subscribe(({ eventId, ack }) => {
        applied.add(eventId);
        ack();
      });
    cleanUp.push(async () => subscription.unsubscribe());
    await vi.waitFor(() => expect(applied).toEqual(new Set(idsOf(entries(0, 100)))), LONG);
    expect(changes).toEqual([{ from: 0, to: 100 }]);
    await vi.waitFor(() => expect(spool.kept().entries).toBe(0), LONG);
  });

  it('stays while a consumer that says what it has applied is away, also when it has left the stream', async () => {
    const { spool, published, changes, settled } = await startSentry();
    const nats = await openNats();
    const applied = new Set<string>();
    const read = () => collect(nats, 'reader', { applied: async () => applied }).subscription;
    const first = read();
    const { connection, jsm } = await manager();
    cleanUp.push(() => connection.close());
    const description = async () => (await jsm.consumers.info('EVENTS', 'reader')).config.description;
    await vi.waitFor(async () => expect(await description()).toContain('says what it has applied'), LONG);
    first.unsubscribe();
    await spool.append(entries(0, 100));
    await published();
    await vi.waitFor(async () => expect(await settled()).toBe(100), LONG);
    await jsm.streams.purge('EVENTS');
    await spool.append(entries(100, 1));
    await vi.waitFor(async () => expect(await settled()).toBe(101), LONG);
    expect(spool.kept().entries).toBe(101);
    for (const eventId of idsOf(entries(0, 101))) applied.add(eventId);
    const second = read();
    await vi.waitFor(() => expect(spool.kept().entries).toBe(0), LONG);
    second.unsubscribe();
    expect(changes).toEqual([]);
  });

  it('stays while the durable of another consumer is missing, and is published again when it has been made anew', async () => {
    const { spool, published, changes, settled } = await startSentry();
    const second = async () => {
      const nats = await natsEventLog({ url: server.url, logger, durables: ['second'] });
      cleanUp.push(() => nats.close());
      return nats;
    };
    await second();
    await spool.append(entries(0, 100));
    await published();
    await readUntil(100);
    const { connection, jsm } = await manager();
    cleanUp.push(() => connection.close());
    await jsm.consumers.delete('EVENTS', 'second');
    await vi.waitFor(async () => expect((await jsm.streams.info('EVENTS')).state.messages).toBe(0), LONG);
    // The next events show that it has looked since; nobody but the reader is there to want them.
    await spool.append(entries(100, 50));
    await published();
    await vi.waitFor(async () => expect(await settled()).toBe(150), LONG);
    expect(spool.kept().entries).toBe(150);
    const got = collect(await second(), 'second');
    await vi.waitFor(() => expect(new Set(idsOf(got.received))).toEqual(new Set(idsOf(entries(0, 150)))), LONG);
    expect(changes).toEqual([{ from: 0, to: 150 }]);
    await readUntil(150);
    await vi.waitFor(() => expect(spool.kept().entries).toBe(0), LONG);
  });

  it('stays for a second durable that has not read it', async () => {
    const { spool, published } = await startSentry();
    const other = await natsEventLog({ url: server.url, logger, durables: ['second'] });
    cleanUp.push(() => other.close());
    await spool.append(entries(0, 10));
    await published();
    await readUntil(10);
    const polls = collect(other, 'second', { ack: false });
    await polls.count(10);
    expect(spool.kept().entries).toBe(10);
    for (const delivery of polls.received) delivery.ack();
    await vi.waitFor(() => expect(spool.kept().entries).toBe(0), WAIT);
  });
});

async function manager() {
  const connection = await connect({ servers: server.url });
  return { connection, jsm: await connection.jetstreamManager() };
}

describe('several sentries', () => {
  it('share a stream: each keeps its own until they are read', async () => {
    const one = await startSentry();
    const first = dir;
    dir = await tempDir();
    cleanUp.unshift(first.remove);
    const two = await startSentry();
    await Promise.all([one.spool.append(entries(0, 500, 'one')), two.spool.append(entries(0, 500, 'two'))]);
    await Promise.all([one.published(), two.published()]);
    expect([one.spool.kept().entries, two.spool.kept().entries]).toEqual([500, 500]);
    const ids = await readUntil(1_000);
    // In order for each of them.
    expect(ids.filter((id) => id.startsWith('one'))).toEqual(idsOf(entries(0, 500, 'one')));
    expect(ids.filter((id) => id.startsWith('two'))).toEqual(idsOf(entries(0, 500, 'two')));
    await vi.waitFor(() => expect([one.spool.kept().entries, two.spool.kept().entries]).toEqual([0, 0]), LONG);
  });
});

/** A server that is just writing down where a durable is removes it, and says that its folder could not be. */
function unlessItWasWriting(error: Error): boolean {
  if (!error.message.includes('directory not empty')) throw error;
  return false;
}
