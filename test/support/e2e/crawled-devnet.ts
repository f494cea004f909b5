import { join } from 'node:path';
import { NOBODY } from '../../../src/consensus/opt-out.ts';
import type { DevnetOptions } from '../../../src/devnet/devnet.ts';
import { type ForkedDevnet, forkDevnet } from '../../../src/devnet/fork.ts';
import { embeddedEventLog } from '../../../src/io/event-log/embedded/log.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { type DevnetFile, devnetNetwork, readDevnetFile } from '../../../src/io/networks/network-file.ts';
import { openSentryDatabase } from '../../../src/io/storage/sentry/sentry-database.ts';
import {
  type SentryProgram,
  type SentryProgramOptions,
  startSentry,
} from '../../../src/programs/sentry/start-sentry.ts';
import type { EventLog } from '../../../src/streams/ports/event-log.ts';

export interface CrawledDevnet {
  readonly devnet: ForkedDevnet;
  readonly sentry: SentryProgram;
  readonly log: EventLog;
  stop(): Promise<void>;
}

/** The durable consumer of the log, for those who want to read it. */
export const READER = 'reader';

export interface CrawlerOptions extends Partial<Pick<SentryProgramOptions, 'logger' | 'experiment' | 'log' | 'forks'>> {
  /** What the crawler is told of the network; all that there is, if not given. */
  readonly told?: (file: DevnetFile) => DevnetFile;
}

/** A devnet in a process of its own, and a sentry in this one that crawls it. Nothing but what is in `dir` is left. */
export async function crawlDevnet(
  options: DevnetOptions & { readonly dir: string },
  {
    logger = createLogger({ level: 'error', format: 'json' }),
    told = (file) => file,
    ...sentryOptions
  }: CrawlerOptions = {},
): Promise<CrawledDevnet> {
  const started = new AsyncDisposableStack();
  try {
    const devnet = await forkDevnet(options, logger);
    started.defer(() => devnet.stop());
    const dataDir = join(options.dir, 'data');
    const database = await openSentryDatabase(dataDir);
    started.defer(() => database.close());
    const log = await embeddedEventLog(database, { logger, durables: [READER] });
    started.defer(() => log.close());
    const sentry = await startSentry({
      network: devnetNetwork(told(await readDevnetFile(devnet.networkPath))),
      dataDir,
      database,
      log,
      crawlerId: 'test',
      crawlerLocation: 'here',
      listenIp: '127.0.0.1',
      port: 0,
      agent: 'valtrack/test',
      logger,
      optOut: NOBODY,
      ...sentryOptions,
    });
    started.defer(() => sentry.stop());
    return { devnet, sentry, log, stop: () => started.disposeAsync() };
  } catch (error) {
    await started.disposeAsync();
    throw error;
  }
}
