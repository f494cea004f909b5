import { embeddedEventLog } from '../../src/io/event-log/embedded/log.ts';
import { createLogger } from '../../src/io/logging/logger.ts';
import { openSentryDatabase } from '../../src/io/storage/sentry/sentry-database.ts';
import { startConsumer } from '../../src/programs/consumer/start-consumer.ts';

/** Consumes the embedded log of a data folder until it is killed; prints a line for each batch. */
const dataDir = process.argv[2] as string;
const logger = createLogger({ level: 'warn', format: 'json' });
const log = await embeddedEventLog(await openSentryDatabase(dataDir), { logger });
const consumer = await startConsumer({
  log,
  dataDir,
  durable: 'consumer',
  logger,
  batchSize: 20,
  batchMs: 1,
  maxInFlight: 60,
  rotateRows: 50,
});
consumer.summaries.subscribe(({ deliveries }) => process.stdout.write(`${deliveries}\n`));
