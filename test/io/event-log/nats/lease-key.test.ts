import { connect, type NatsConnection } from 'nats';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isWrongRevision } from '../../../../src/io/event-log/nats/errors.ts';
import { type LeaseKey, leaseKey } from '../../../../src/io/event-log/nats/lease-key.ts';
import { WAIT } from '../../../support/event-log/contract.ts';
import { startNatsServer, type TestNatsServer } from '../../../support/nats-server.ts';

const TTL_MS = 1_000;

let server: TestNatsServer;
let connection: NatsConnection;
let ours: LeaseKey;
let theirs: LeaseKey;

const keyOf = (id: string) => leaseKey({ connection, durable: 'a', replicas: 1, ttlMs: TTL_MS, id });
const taken = async (key: LeaseKey) => {
  const answer = await key.take();
  return 'revision' in answer ? answer.revision : answer.holder;
};
const wrongRevision = (asked: Promise<unknown>) => asked.then(() => false, isWrongRevision);

beforeEach(async () => {
  server = await startNatsServer();
  connection = await connect({ servers: server.url });
  ours = keyOf('ours');
  theirs = keyOf('theirs');
});

afterEach(async () => {
  await connection.close();
  await server.dispose();
});

describe('the key of a lease', () => {
  it('is had by one, and others are told who that is', async () => {
    expect(await taken(ours)).toBe(1);
    expect(await taken(theirs)).toMatch(new RegExp(`, process ${process.pid}$`));
  });

  it('is had again at once after a restart, and no longer by who had it before', async () => {
    const before = Number(await taken(ours));
    expect(await taken(keyOf('ours'))).toBeGreaterThan(before);
    expect(await wrongRevision(ours.renew(before))).toBe(true);
  });

  it('is had by the next when it is given up', async () => {
    await ours.giveUp(Number(await taken(ours)));
    expect(await taken(theirs)).toBeTypeOf('number');
  });

  it('is not given up by who has lost it', async () => {
    const before = Number(await taken(ours));
    await taken(keyOf('ours'));
    expect(await wrongRevision(ours.giveUp(before))).toBe(true);
    expect(await taken(theirs)).toBeTypeOf('string');
  });

  it('is had by the next when nobody renews it', async () => {
    await taken(ours);
    await vi.waitFor(async () => expect(await taken(theirs)).toBeTypeOf('number'), WAIT);
  });

  it('is had in a bucket that is made anew when it was lost', async () => {
    await taken(ours);
    await (await connection.jetstreamManager()).streams.delete('KV_valtrack');
    await expect(ours.take()).rejects.toThrow();
    await ours.open();
    expect(await taken(ours)).toBeTypeOf('number');
  });

  it('may hold what another program has written', async () => {
    const bucket = await connection.jetstream().views.kv('valtrack', { ttl: TTL_MS });
    await bucket.put('a', 'no JSON');
    expect(await taken(ours)).toBe('no JSON');
  });
});
