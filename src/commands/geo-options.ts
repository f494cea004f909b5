import type { GeoOptions } from '../io/geo/open.ts';
import type { GeoSource } from '../io/geo/sources.ts';
import type { Options } from './options.ts';
import { UsageError } from './usage-error.ts';

type GeoFlags = Pick<Options, 'geo' | 'mmdb' | 'ipinfoToken' | 'ipMetadata'>;

/**
 * Where locations come from.
 * @throws UsageError, before anything is started, that names the option that is missing
 */
export function geoOptions(options: GeoFlags & Pick<Options, 'network'>): Omit<GeoOptions, 'devnetFile'> {
  checkGeo(options);
  const { geo, mmdb, ipinfoToken, ipMetadata } = options;
  return { order: geo, mmdbFiles: mmdb, ipinfoToken, ipMetadataFile: ipMetadata };
}

/** Checks that what `--geo` names has what it needs. */
function checkGeo({ geo = [], mmdb, ipinfoToken, ipMetadata, network }: GeoFlags & Pick<Options, 'network'>): void {
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
