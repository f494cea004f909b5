import { NOBODY } from '../../../src/consensus/opt-out.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { devnetNetwork, readDevnetFile } from '../../../src/io/networks/network-file.ts';
import {
  type SentryProgram,
  type SentryProgramOptions,
  startSentry,
} from '../../../src/programs/sentry/start-sentry.ts';
import { quietNetwork } from './quiet-network.ts';

type Needed = 'dataDir' | 'database';
type Changed = 'optOut' | 'listenIp6' | 'experiment';

export interface QuietSentryOptions
  extends Pick<SentryProgramOptions, Needed>,
    Partial<Pick<SentryProgramOptions, Changed>> {
  readonly slotMs: number;
}

/** A crawler on a network in which nobody is but who the test sends; on loopback, and what it records goes nowhere. */
export async function quietSentry({ slotMs, ...options }: QuietSentryOptions): Promise<SentryProgram> {
  return startSentry({
    network: devnetNetwork(await readDevnetFile(await quietNetwork(options.dataDir, { slot_ms: slotMs }))),
    log: { append: async () => undefined },
    crawlerId: 'test',
    crawlerLocation: 'here',
    listenIp: '127.0.0.1',
    port: 0,
    agent: 'valtrack/test',
    optOut: NOBODY,
    logger: createLogger({ level: 'silent', format: 'json' }),
    ...options,
  });
}
