import { openPlaces } from './consumer/places.ts';
import { standByForFolder } from './consumer/standby.ts';
import { startStoring } from './consumer/storing.ts';
import { startNats } from './event-path/nats.ts';
import { straysPart } from './faults.ts';
import { type NetworkChoice, readNetwork } from './network/open-network.ts';
import { program } from './program.ts';
import { startApi } from './serving.ts';
import type { StoreSettings } from './settings.ts';

export interface ConsumerSettings extends StoreSettings {
  /** What the events are about; `null` where that is not known. */
  readonly network: {
    readonly choice: Exclude<NetworkChoice, { kind: 'devnet' }> | null;
    readonly activeValidators: number | undefined;
  };
  readonly nats: { readonly url: string; readonly replicas: number };
}

/** Consumes from NATS, stores and serves. */
export async function consumerProgram({ dataDir, faults, ending, logger, ...settings }: ConsumerSettings) {
  const { choice, activeValidators } = settings.network;
  const chosen = choice === null ? null : await readNetwork(choice, activeValidators);
  return program()
    .with('strays', async () => straysPart(faults))
    .with('folder', () => standByForFolder({ dataDir, http: settings.serving, ending, logger }))
    .with('nats', ({ folder }) =>
      startNats({
        ...settings.nats,
        durable: settings.storing.durable,
        dataDir: folder.path,
        // Who takes over has been started long ago: nobody is there to hear that NATS is away.
        mayBeAway: folder.stoodBy,
        isRead: true,
        ending,
        logger,
      }),
    )
    .with('places', () => openPlaces({ ...settings.places, devnetFile: chosen?.devnetFile ?? null, logger }))
    .with('storing', async ({ folder, nats, places }) =>
      startStoring({
        ...settings.storing,
        log: await nats.connected,
        dataDir: folder.path,
        network: chosen?.network ?? null,
        places: places.chain,
        logger,
      }),
    )
    .with('serving', ({ folder, storing: { stored } }, vitals) =>
      startApi({ ...settings.serving, dataDir: folder.path, stored, vitals, logger }),
    );
}
