import { natsEventLog } from '../../../../src/io/event-log/nats/log.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { eventLogContract } from '../../../support/event-log/contract.ts';
import { startNatsServer } from '../../../support/nats-server.ts';

/** Long enough for the server to forget a pull whose asker has left, short enough for a test. */
const ACK_WAIT_MS = 2000;

const logger = createLogger({ level: 'silent', format: 'json' });

eventLogContract('the NATS log', async () => {
  const server = await startNatsServer();
  return {
    open: ({ durables }) => natsEventLog({ url: server.url, logger, durables, ackWaitMs: ACK_WAIT_MS }),
    dispose: server.dispose,
  };
});
