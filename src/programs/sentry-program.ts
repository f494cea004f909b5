import { startEventPath } from './event-path/event-path.ts';
import { straysPart } from './faults.ts';
import { takeFolder } from './folder.ts';
import { openNetwork } from './network/open-network.ts';
import { partOf } from './part.ts';
import { program } from './program.ts';
import { startWatchedSentry } from './sentry/watched-sentry.ts';
import { type HttpPlace, startHealth } from './serving.ts';
import type { CrawlSettings } from './settings.ts';

export interface SentrySettings extends CrawlSettings {
  /** Where health is served; `null` for nowhere. */
  readonly serving: HttpPlace | null;
}

/** Crawls and publishes. */
export function sentryProgram({ dataDir, faults, ending, logger, serving, ...settings }: SentrySettings) {
  return program()
    .with('strays', async () => straysPart(faults))
    .with('folder', () => takeFolder(dataDir, ['sentry']))
    .with('network', () => openNetwork({ ...settings.network, ending, logger }))
    .with('events', ({ folder }) =>
      startEventPath({ ...settings.events, dataDir: folder.path, natsMayBeAway: true, isRead: false, logger }),
    )
    .with('sentry', ({ folder, network, events }) =>
      startWatchedSentry({ ...settings.sentry, folder, network, events, logger }),
    )
    .with('serving', async (_, vitals) =>
      serving === null ? partOf('no HTTP server') : startHealth({ ...serving, vitals, logger }),
    );
}
