import { type GeoOptions, openGeoLocator } from '../io/geo/open.ts';
import type { GeoSource } from '../io/geo/sources.ts';
import type { Logger } from '../io/logging/logger.ts';
import type { GeoChain } from '../streams/ports/geo-locator.ts';
import type { Options } from './options.ts';
import { UsageError } from './usage-error.ts';

type GeoFlags = Pick<Options, 'geo' | 'mmdb' | 'ipinfoToken' | 'ipMetadata'>;

/**
 * Checks, before anything is started, that what `--geo` names has what it needs.
 * @throws UsageError that names the option that is missing
 */
export function checkGeo({
  geo = [],
  mmdb,
  ipinfoToken,
  ipMetadata,
  network,
}: GeoFlags & Pick<Options, 'network'>): void {
  const needs: Readonly<Partial<Record<GeoSource, readonly [given: boolean, remedy: string]>>> = {
    devnet: [isDevnet(network), '--network devnet, or the network.json of one'],
    'ip-metadata': [ipMetadata !== undefined, '--ip-metadata FILE'],
    mmdb: [mmdb !== undefined, '--mmdb FILE'],
    ipinfo: [ipinfoToken !== undefined, '--ipinfo-token TOKEN, or IPINFO_TOKEN in the environment'],
  };
  for (const source of geo) {
    const [given, remedy] = needs[source] ?? [true, ''];
    if (!given) throw new UsageError(`--geo ${source} needs ${remedy}`);
  }
}

/** As far as the name tells: a file that is no config.yaml. */
function isDevnet(network: string): boolean {
  return network === 'devnet' || (/\/|\.json$/.test(network) && !/^https?:|\.ya?ml$/.test(network));
}

/** Opens the sources that the options name. @throws GeoError with one line when a file cannot be used */
export function openGeo(
  { geo, mmdb, ipinfoToken, ipMetadata }: GeoFlags,
  devnetFile: string | null,
  logger: Logger,
): Promise<GeoChain> {
  const options: GeoOptions = {
    order: geo,
    mmdbFiles: mmdb,
    ipinfoToken,
    ipMetadataFile: ipMetadata,
    ...(devnetFile === null ? {} : { devnetFile }),
  };
  return openGeoLocator(options, { logger });
}
