import { natsEventLog } from '../../src/io/event-log/nats/log.ts';
import { createLogger } from '../../src/io/logging/logger.ts';
import { startConsumer } from '../../src/programs/consumer/start-consumer.ts';

/**
 * Consumes from NATS into a data folder, with a lease on the durable, until it is killed or told to end with SIGTERM.
 * Prints the number of applied events after each batch, and `standing by` while another has the durable.
 *
 * Arguments: url, data folder, durable, milliseconds of the lease.
 */
const [, , url = '', dataDir = '', durable = '', ttlMs = ''] = process.argv;
const logger = createLogger({
  level: 'info',
  format: 'json',
  write: (line) => line.includes('standing by') && process.stdout.write('standing by\n'),
});
const log = await natsEventLog({
  url,
  logger,
  durables: [durable],
  ackWaitMs: 2_000,
  lease: { ttlMs: Number(ttlMs), id: dataDir },
});
const consumer = await startConsumer({ log, dataDir, durable, logger, batchSize: 50, batchMs: 5, maxInFlight: 200 });
let applied = 0;
consumer.summaries.subscribe((summary) => {
  applied += summary.applied;
  process.stdout.write(`${applied}\n`);
});
process.once('SIGTERM', async () => {
  await consumer.close();
  await log.close();
});
