import { open, type Reader, type Response } from 'maxmind';
import { type Attribution, type GeoLocator, type Location, NOWHERE } from '../../streams/ports/geo-locator.ts';
import type { Logger } from '../logging/logger.ts';
import { openChangingFile } from './changing-file.ts';
import { mergeLocations } from './merge.ts';
import { readLocation } from './read-location.ts';

/** A database in MaxMind's format, held in memory as large as its file. */
export type Mmdb = Reader<Response>;

export function openMmdb(path: string): Promise<Mmdb> {
  return open<Response>(path);
}

/** Total for valid addresses of any family; a database of IPv4 alone knows nothing of IPv6. */
export function lookUpMmdb(database: Mmdb, ip: string): Location {
  if (ip.includes(':') && database.metadata.ipVersion === 4) return NOWHERE;
  return readLocation(database.get(ip));
}

/**
 * Databases of MaxMind, IPinfo, DB-IP and others in that format, such as one for cities and one for networks; what one
 * lacks the next may have. Each is read again when it is replaced.
 * @throws GeoError when one cannot be read.
 */
export async function mmdbLocator(paths: readonly string[], logger: Logger): Promise<GeoLocator> {
  const files = await Promise.all(paths.map((path) => openChangingFile(path, openMmdb, logger)));
  return {
    name: 'mmdb',
    parts: ['place', 'network'],
    attributions: files.flatMap((file) => attributionsOf(file.content.metadata.databaseType)),
    maxAgeMs: null,
    version: async () => (await Promise.all(files.map((file) => file.version()))).join('+'),
    locate: async (ip) => files.map((file) => lookUpMmdb(file.content, ip)).reduce(mergeLocations, NOWHERE),
    close: async () => {},
  };
}

/** Of the free databases, which are under CC BY 4.0. */
export const DB_IP: Attribution = { text: 'IP geolocation by DB-IP (CC BY 4.0)', url: 'https://db-ip.com' };

/** As the licences of the free databases ask (CC BY-SA 4.0, GeoLite EULA, CC BY 4.0). */
function attributionsOf(databaseType: string): GeoLocator['attributions'] {
  if (/ipinfo/i.test(databaseType)) return [{ text: 'IP address data powered by IPinfo', url: 'https://ipinfo.io' }];
  if (/geolite/i.test(databaseType)) {
    const text = 'Includes GeoLite data created by MaxMind, available from https://www.maxmind.com';
    return [{ text, url: 'https://www.maxmind.com' }];
  }
  if (/dbip/i.test(databaseType)) return [DB_IP];
  return [];
}
