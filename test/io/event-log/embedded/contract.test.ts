import { embeddedEventLog } from '../../../../src/io/event-log/embedded/log.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { openSentryDatabase } from '../../../../src/io/storage/sentry/sentry-database.ts';
import { eventLogContract } from '../../../support/event-log/contract.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const logger = createLogger({ level: 'silent', format: 'json' });

eventLogContract('the embedded log', async () => {
  const dir = await tempDir();
  return {
    async open({ durables }) {
      const database = await openSentryDatabase(dir.path);
      const log = await embeddedEventLog(database, { logger, durables });
      let closed: Promise<void> | undefined;
      return Object.create(log, {
        close: {
          value: () => {
            closed ??= log.close().then(() => database.close());
            return closed;
          },
        },
      });
    },
    dispose: dir.remove,
  };
});
