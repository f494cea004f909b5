import { createReadStream } from 'node:fs';
import { isIP } from 'node:net';
import { type GeoLocator, type Location, NOWHERE } from '../../streams/ports/geo-locator.ts';
import type { Logger } from '../logging/logger.ts';
import { csvFields } from '../recording/csv.ts';
import { linesOf } from '../recording/lines.ts';
import { openChangingFile } from './changing-file.ts';
import { readDictionary } from './python-literal.ts';
import { readLocation } from './read-location.ts';
import { sameIp } from './same-ip.ts';

const MAX_LINE_LENGTH = 16_384;

/** An address more takes a few hundred bytes. */
const MAX_ADDRESSES = 1_000_000;

/**
 * The Go program's `ip_metadata.csv`. It has no header; its columns are address, host name, city, region, country,
 * `"latitude,longitude"`, one that nothing reads, postal code, and the network as JSON or as Python prints a dictionary.
 * Lines that are not like that are left out and counted in the log, a header too.
 * @throws GeoError when the file cannot be read.
 */
export async function ipMetadataLocator(path: string, logger: Logger): Promise<GeoLocator> {
  const file = await openChangingFile(path, (path) => readIpMetadata(path, logger), logger);
  return {
    name: 'ip-metadata',
    parts: ['place', 'network'],
    attributions: [],
    maxAgeMs: null,
    version: () => file.version(),
    locate: async (ip) => file.content.get(ip) ?? NOWHERE,
    close: async () => {},
  };
}

async function readIpMetadata(path: string, logger: Logger): Promise<ReadonlyMap<string, Location>> {
  const locations = new Map<string, Location>();
  let unreadable = 0;
  for await (const { text } of linesOf(createReadStream(path), MAX_LINE_LENGTH)) {
    if (text === '') continue;
    const entry = text === null ? null : readIpMetadataLine(text);
    if (entry === null) unreadable++;
    else if (locations.size >= MAX_ADDRESSES) throw new Error(`more than ${MAX_ADDRESSES} addresses`);
    else locations.set(entry.ip, entry.location);
  }
  logger.info({ path, addresses: locations.size, unreadable }, 'read an ip_metadata file');
  return locations;
}

/** One line; `null` when it is not of the file's form. Total. */
export function readIpMetadataLine(line: string): { ip: string; location: Location } | null {
  const fields = csvFields(line)?.map((field) => (field === 'nan' ? '' : field));
  const [ip, hostname, city, region, country, loc, , postal, asn] = fields ?? [];
  if (ip === undefined || isIP(ip) === 0 || country === undefined) return null;
  const network = readDictionary(asn ?? '');
  return { ip: sameIp(ip), location: readLocation({ hostname, city, region, country, loc, postal, asn: network }) };
}
