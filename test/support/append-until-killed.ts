import { writeSync } from 'node:fs';
import { embeddedEventLog } from '../../src/io/event-log/embedded/log.ts';
import { createLogger } from '../../src/io/logging/logger.ts';
import { openSentryDatabase } from '../../src/io/storage/sentry/sentry-database.ts';

/** A child process: appends `run:0`, `run:1`, … to the log in a folder, and writes the last sequence it was promised. */

const BATCH = 20;

const database = await openSentryDatabase(process.argv[2] ?? '');
const log = await embeddedEventLog(database, { logger: createLogger({ level: 'error', format: 'json' }) });
for (let first = 0; ; first += BATCH) {
  const batch = Array.from({ length: BATCH }, (_, index) => ({
    subject: 'events.peer_discovered',
    eventId: `run:${first + index}`,
    payload: new TextEncoder().encode(`{"sequence":${first + index}}`),
  }));
  await log.append(batch);
  writeSync(1, `${first + BATCH - 1}\n`);
}
