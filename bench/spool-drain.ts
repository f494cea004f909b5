/**
 * How fast the spool drains into a real nats-server on this machine, beside plain publishing that waits for no
 * acknowledgement.
 *
 *     node bench/spool-drain.ts [events] [rounds]
 */
import { rm } from 'node:fs/promises';
import { connect } from 'nats';
import { asyncScheduler, filter, firstValueFrom } from 'rxjs';
import { embeddedEventLog } from '../src/io/event-log/embedded/log.ts';
import { streamMemory } from '../src/io/event-log/embedded/stream-memory.ts';
import { natsEventLog } from '../src/io/event-log/nats/log.ts';
import { createLogger } from '../src/io/logging/logger.ts';
import { openSentryDatabase } from '../src/io/storage/sentry/sentry-database.ts';
import type { LogEntry } from '../src/streams/ports/event-log.ts';
import { publishing } from '../src/streams/publishing.ts';
import { entry, wireObservation } from '../test/support/events.ts';
import { startNatsServer } from '../test/support/nats-server.ts';
import { tempDir } from '../test/support/temp-dir.ts';

const EVENTS = Number(process.argv[2] ?? 50_000);
const ROUNDS = Number(process.argv[3] ?? 3);
const APPEND = 1_000;
/** As the sentry has it, src/programs/event-path/event-path.ts. */
const PUBLISH = { batchSize: 1_000, batchMs: 50, pollMs: 2_000, settleMs: 5_000 };

const logger = createLogger({ level: 'warn', format: 'json' });
const perSecond = (sinceMs: number) => Math.round((EVENTS * 1_000) / (performance.now() - sinceMs));

/** About one kilobyte each, of ten thousand peers in turn, as a crawl brings them. */
function events(round: number): LogEntry[] {
  return Array.from({ length: EVENTS }, (_, index) => {
    const id = `16Uiu2HAm${String(index % 10_000).padStart(44, 'x')}`;
    const event = wireObservation({ id, enr: `enr:-${'x'.repeat(400)}`, client_version: 'x'.repeat(100) });
    return entry(`bench${round}:${index}`, { ...event, observed: 'x'.repeat(150) });
  });
}

async function plain(list: readonly LogEntry[]): Promise<number> {
  const server = await startNatsServer();
  const connection = await connect({ servers: server.url });
  const startMs = performance.now();
  for (const [index, { subject, payload }] of list.entries()) {
    connection.publish(subject, payload);
    // Else all of it waits in memory, and that is what would be measured.
    if (index % APPEND === APPEND - 1) await connection.flush();
  }
  await connection.flush();
  const rate = perSecond(startMs);
  await connection.close();
  await server.dispose();
  return rate;
}

async function drained(list: readonly LogEntry[]): Promise<{ appended: number; drained: number }> {
  const server = await startNatsServer();
  const dir = await tempDir();
  const database = await openSentryDatabase(dir.path);
  const names = { published: 'published', consumed: 'consumed' };
  const spool = await embeddedEventLog(database, { logger, durables: Object.values(names), keeper: names.consumed });
  const appendMs = performance.now();
  for (let from = 0; from < list.length; from += APPEND) await spool.append(list.slice(from, from + APPEND));
  const appended = perSecond(appendMs);
  const stream = await natsEventLog({ url: server.url, logger, durables: ['reader'] });
  const startMs = performance.now();
  await firstValueFrom(
    publishing({
      spool,
      stream,
      ...names,
      ...PUBLISH,
      memory: streamMemory(database),
      scheduler: asyncScheduler,
      onFailure: (_, { error }) => logger.warn({ err: error }, 'failed'),
      onSuccess: () => undefined,
      onChanged: () => undefined,
    }).pipe(filter(({ published }) => published >= EVENTS)),
  );
  const rate = perSecond(startMs);
  await stream.close();
  await spool.close();
  await database.close();
  await rm(dir.path, { recursive: true });
  await server.dispose();
  return { appended, drained: rate };
}

const bytes = events(0)[0]?.payload.length ?? 0;
process.stdout.write(`${EVENTS} events of ${bytes} bytes\n`);
for (let round = 0; round < ROUNDS; round++) {
  const list = events(round);
  const unacknowledged = await plain(list);
  const { appended, drained: rate } = await drained(list);
  process.stdout.write(
    `unacknowledged ${unacknowledged}/s, into the spool ${appended}/s, out of the spool ${rate}/s: ` +
      `${(rate / unacknowledged).toFixed(2)} of unacknowledged\n`,
  );
}
