import { openPlaces } from './consumer/places.ts';
import { startStoring } from './consumer/storing.ts';
import { startEventPath } from './event-path/event-path.ts';
import { straysPart } from './faults.ts';
import { takeFolder } from './folder.ts';
import { openNetwork } from './network/open-network.ts';
import { program } from './program.ts';
import { startWatchedSentry } from './sentry/watched-sentry.ts';
import { startApi } from './serving.ts';
import type { CrawlSettings, StoreSettings } from './settings.ts';

export type RunSettings = CrawlSettings & StoreSettings;

/** Everything in one process: what crawls, what stores, what serves. */
export function runProgram({ dataDir, faults, ending, logger, ...settings }: RunSettings) {
  return program()
    .with('strays', async () => straysPart(faults))
    .with('folder', () => takeFolder(dataDir, ['sentry', 'consumer']))
    .with('network', () => openNetwork({ ...settings.network, ending, logger }))
    .with('events', ({ folder }) =>
      startEventPath({ ...settings.events, dataDir: folder.path, natsMayBeAway: false, isRead: true, logger }),
    )
    .with('places', ({ network: { devnetFile } }) => openPlaces({ ...settings.places, devnetFile, logger }))
    .with('storing', async ({ folder, network: { network }, events, places }) =>
      startStoring({
        ...settings.storing,
        log: await events.read,
        dataDir: folder.path,
        network,
        places: places.chain,
        logger,
      }),
    )
    .with('serving', ({ folder, storing: { stored } }, vitals) =>
      startApi({ ...settings.serving, dataDir: folder.path, stored, vitals, logger }),
    )
    .with('sentry', ({ folder, network, events }) =>
      startWatchedSentry({ ...settings.sentry, folder, network, events, logger }),
    );
}
