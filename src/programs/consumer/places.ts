import { type GeoOptions, openGeoLocator } from '../../io/geo/open.ts';
import type { Logger } from '../../io/logging/logger.ts';
import type { GeoChain } from '../../streams/ports/geo-locator.ts';
import { type Part, partOf } from '../part.ts';

/** The sources of locations. */
export interface Places extends Part {
  readonly chain: GeoChain;
}

export interface PlacesOptions extends Omit<GeoOptions, 'devnetFile'> {
  /** The `network.json` of a devnet; `null` on any other network. */
  readonly devnetFile: string | null;
  readonly logger: Logger;
}

/** Opens the sources that the options name. @throws GeoError with one line when a file cannot be used */
export async function openPlaces({ devnetFile, logger, ...options }: PlacesOptions): Promise<Places> {
  const chain = await openGeoLocator({ ...options, devnetFile: devnetFile ?? undefined }, { logger });
  return { ...partOf('the sources of locations', { stop: () => chain.close() }), chain };
}
