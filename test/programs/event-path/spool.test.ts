import { asyncScheduler, type Subscription } from 'rxjs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { embeddedEventLog } from '../../../src/io/event-log/embedded/log.ts';
import { natsEventLog } from '../../../src/io/event-log/nats/log.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { openSentryDatabase } from '../../../src/io/storage/sentry/sentry-database.ts';
import { forward } from '../../../src/streams/forwarder.ts';
import { collect, entries, idsOf, WAIT } from '../../support/event-log/contract.ts';
import { startNatsServer } from '../../support/nats-server.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** The embedded log as the spool in front of NATS, as the sentry runs it. */

const logger = createLogger({ level: 'silent', format: 'json' });

let cleanUp: (() => Promise<void>)[];

beforeEach(() => {
  cleanUp = [];
});

afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
});

it('takes events while NATS is killed, and brings every one over in order once it is back', async () => {
  const server = await startNatsServer();
  cleanUp.push(server.dispose);
  const dir = await tempDir();
  cleanUp.push(dir.remove);
  const database = await openSentryDatabase(dir.path);
  cleanUp.push(() => database.close());
  const spool = await embeddedEventLog(database, { logger, durables: ['forwarder'] });
  cleanUp.push(() => spool.close());
  const nats = await natsEventLog({ url: server.url, logger, durables: ['reader'], appendTimeoutMs: 300 });
  cleanUp.push(() => nats.close());

  let forwarded = 0;
  let failures = 0;
  const forwarding: Subscription = forward({
    from: spool,
    to: nats,
    durable: 'forwarder',
    batchSize: 200,
    batchMs: 10,
    scheduler: asyncScheduler,
    onFailure: () => {
      failures += 1;
    },
  }).subscribe((progress) => {
    forwarded = progress.forwarded;
  });
  cleanUp.push(async () => forwarding.unsubscribe());

  await spool.append(entries(0, 1000));
  await vi.waitFor(() => expect(forwarded).toBeGreaterThan(0), WAIT);
  await server.kill('SIGKILL');
  await spool.append(entries(1000, 1000));
  await vi.waitFor(() => expect(failures).toBeGreaterThan(0), WAIT);
  expect((await spool.depth()).entries).toBeGreaterThanOrEqual(1000);
  await server.start();
  await vi.waitFor(() => expect(forwarded).toBe(2000), WAIT);
  await vi.waitFor(async () => expect((await spool.depth()).entries).toBe(0), WAIT);

  const got = collect(nats, 'reader');
  await got.count(2000);
  expect(idsOf(got.received)).toEqual(idsOf(entries(0, 2000)));
});
