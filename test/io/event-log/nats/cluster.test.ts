import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { natsEventLog } from '../../../../src/io/event-log/nats/log.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { collect, entries, idsOf } from '../../../support/event-log/contract.ts';
import { startCluster, type TestNatsCluster } from '../../../support/nats-cluster.ts';
import { publishSpool } from '../../../support/spool-publishing.ts';
import { tempDir } from '../../../support/temp-dir.ts';

/** Three real servers that share the stream, and what happens when the one that leads it is killed. */

const EVENTS = 5_000;
const PATIENT = { timeout: 60_000, interval: 50 };

let cluster: TestNatsCluster;
let lines: string[];
let cleanUp: (() => Promise<void>)[];
const logger = createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) });

beforeEach(async () => {
  lines = [];
  cleanUp = [];
  cluster = await startCluster(3);
  cleanUp.push(() => cluster.dispose());
});

afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
});

async function openNats(replicas: number) {
  const nats = await natsEventLog({ url: cluster.url, logger, durables: ['reader'], replicas, appendTimeoutMs: 2_000 });
  cleanUp.push(() => nats.close());
  return nats;
}

describe('a cluster of three', () => {
  it('loses and doubles nothing when the leader of the stream is killed again and again under load', async () => {
    const dir = await tempDir();
    cleanUp.push(dir.remove);
    const stream = await openNats(3);
    const { spool, changes, stop } = await publishSpool({ dir: dir.path, stream, logger, batchSize: 50, pollMs: 200 });
    cleanUp.push(stop);

    const reader = await openNats(3);
    const got = collect(reader, 'reader');
    const seen = () => new Set(idsOf(got.received)).size;
    for (let kill = 0; kill < 2; kill++) {
      await spool.append(entries((kill * EVENTS) / 2, EVENTS / 2));
      await vi.waitFor(() => expect(seen()).toBeGreaterThan((kill * EVENTS) / 2), PATIENT);
      const leader = await cluster.leaderOf('EVENTS');
      await leader.kill('SIGKILL');
      // The others elect another one and go on without it.
      await vi.waitFor(() => expect(seen()).toBe(((kill + 1) * EVENTS) / 2), PATIENT);
      await leader.restart();
    }
    const ids = idsOf(got.received);
    // An event may come again, under its id; in effect each is there once, and none is missing.
    expect(new Set(ids)).toEqual(new Set(idsOf(entries(0, EVENTS))));
    expect(changes).toEqual([]);
    // What the spool keeps meanwhile is up to the servers: nats-server 2.9, when killed, may hold on to messages that were acknowledged.
    expect(got.ended()).toBe('no');
  }, 150_000);

  it('stores the stream on as many servers as it is told, and says what to do with one that is on fewer', async () => {
    const one = await openNats(1);
    await one.append(entries(0, 1));
    const three = await openNats(3);
    expect(lines.join()).toContain('nats stream edit EVENTS --replicas=3');
    await three.append(entries(1, 1));
    const got = collect(three, 'reader');
    await got.count(2);
  }, 60_000);
});
