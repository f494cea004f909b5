import { asyncScheduler } from 'rxjs';
import { embeddedEventLog } from '../../src/io/event-log/embedded/log.ts';
import { streamMemory } from '../../src/io/event-log/embedded/stream-memory.ts';
import type { NatsEventLog } from '../../src/io/event-log/nats/log.ts';
import type { Logger } from '../../src/io/logging/logger.ts';
import { openSentryDatabase } from '../../src/io/storage/sentry/sentry-database.ts';
import { publishing } from '../../src/streams/publishing.ts';

export interface SpoolPublishingOptions {
  /** Where `sentry.sqlite` is, or will be. */
  readonly dir: string;
  /** Stays open: its owner closes it. */
  readonly stream: NatsEventLog;
  readonly logger: Logger;
  readonly batchSize: number;
  readonly pollMs: number;
}

const DURABLES = { published: 'published', consumed: 'consumed' } as const;

/** The way of a sentry's events, from the spool to a stream; `stop` ends it as a crash would, but for the files' handles. */
export async function publishSpool({ dir, stream, logger, batchSize, pollMs }: SpoolPublishingOptions) {
  const database = await openSentryDatabase(dir);
  const memory = streamMemory(database);
  const { published, consumed } = DURABLES;
  const spool = await embeddedEventLog(database, { logger, durables: [published, consumed], keeper: consumed });
  const changes: { from: number; to: number }[] = [];
  const subscription = publishing({
    spool,
    stream,
    ...DURABLES,
    memory,
    batchSize,
    batchMs: 5,
    pollMs,
    settleMs: 100,
    scheduler: asyncScheduler,
    onFailure: () => undefined,
    onSuccess: () => undefined,
    onChanged: (change) => changes.push(change),
  }).subscribe();
  return {
    spool,
    /** What was published anew. */
    changes,
    /** Up to which position it is certain what the stream has. */
    settled: async () => (await memory.load())?.settled,
    async stop(): Promise<void> {
      subscription.unsubscribe();
      await spool.close();
      await database.close();
    },
  };
}
