import type { SchedulerLike } from 'rxjs';
import type { GeoChain, GeoLocator } from '../../streams/ports/geo-locator.ts';
import type { Logger } from '../logging/logger.ts';
import { geoChain } from './chain.ts';
import { devnetLocator } from './devnet.ts';
import { embeddedLocator } from './embedded.ts';
import { GeoError } from './geo-error.ts';
import { ipMetadataLocator } from './ip-metadata.ts';
import { ipinfoLocator } from './ipinfo.ts';
import { mmdbLocator } from './mmdb.ts';
import { reverseDnsLocator } from './reverse-dns.ts';
import { GEO_SOURCES, type GeoSource } from './sources.ts';

export interface GeoOptions {
  /**
   * Sources in the order they are asked; none at all: no geolocation. Absent: all that are configured, and `embedded` but on a
   * devnet, whose addresses no other data know.
   */
  readonly order?: readonly GeoSource[] | undefined;
  readonly mmdbFiles?: readonly string[] | undefined;
  readonly ipinfoToken?: string | undefined;
  /** A file of the Go program's form. */
  readonly ipMetadataFile?: string | undefined;
  /** A devnet's `network.json`. */
  readonly devnetFile?: string | undefined;
}

/**
 * Opens the sources in their order. Files are read now, but for the embedded data, which wait until they are needed.
 * @throws GeoError with one line when a source lacks what it needs or its file cannot be read.
 */
export async function openGeoLocator(
  options: GeoOptions,
  { logger, scheduler }: { logger: Logger; scheduler?: SchedulerLike },
): Promise<GeoChain> {
  const { mmdbFiles = [], ipinfoToken, ipMetadataFile, devnetFile } = options;
  const timing = scheduler === undefined ? {} : { scheduler };
  const shortcomings: string[] = [];
  const onMissing = (problem: string) => {
    logger.warn(problem);
    shortcomings.push(problem);
  };
  const open: Record<GeoSource, () => GeoLocator | null | Promise<GeoLocator | null>> = {
    devnet: () => devnetLocator(needed('devnet', devnetFile, 'the network.json of a devnet'), logger),
    'ip-metadata': () => ipMetadataLocator(needed('ip-metadata', ipMetadataFile, '--ip-metadata FILE'), logger),
    mmdb: () => mmdbLocator(needed('mmdb', mmdbFiles.length > 0 ? mmdbFiles : undefined, '--mmdb FILE'), logger),
    ipinfo: () => ipinfoLocator({ token: needed('ipinfo', ipinfoToken, '--ipinfo-token TOKEN'), logger, ...timing }),
    embedded: () => embeddedLocator({ onMissing }),
    'reverse-dns': () => reverseDnsLocator(timing),
  };
  const locators: GeoLocator[] = [];
  for (const source of new Set(options.order ?? configuredSources(options))) {
    const locator = await open[source]();
    if (locator !== null) locators.push(locator);
  }
  if (options.order?.length === 0) logger.info('no geolocation, as asked for: places stay empty');
  return geoChain(locators, logger, shortcomings);
}

/** Reverse DNS tells others what we look at, so it is only used when asked for. */
function configuredSources({ mmdbFiles = [], ipinfoToken, ipMetadataFile, devnetFile }: GeoOptions): GeoSource[] {
  const isConfigured: Record<GeoSource, boolean> = {
    devnet: devnetFile !== undefined,
    'ip-metadata': ipMetadataFile !== undefined,
    mmdb: mmdbFiles.length > 0,
    ipinfo: ipinfoToken !== undefined,
    embedded: devnetFile === undefined,
    'reverse-dns': false,
  };
  return GEO_SOURCES.filter((source) => isConfigured[source]);
}

function needed<T>(source: GeoSource, value: T | undefined, what: string): T {
  if (value === undefined) throw new GeoError(`the source of locations "${source}" needs ${what}`);
  return value;
}
