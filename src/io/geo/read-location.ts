import { isIP } from 'node:net';
import {
  type AsnType,
  type AutonomousSystem,
  type Location,
  NOWHERE,
  type Place,
} from '../../streams/ports/geo-locator.ts';

/**
 * Reads a record about an address in any of the forms in use: MaxMind's databases (city, country, ASN, ISP, enterprise),
 * DB-IP's in MaxMind's form or flat as ip-location-db has them, IPinfo's databases (flat) and API (`loc`, `asn` as an
 * object or in `org`, `geo` and `as`). Total: what is missing, malformed or out of range is `null`.
 */
export function readLocation(record: unknown): Location {
  if (typeof record !== 'object' || record === null || at(record, 'bogon') === true) return NOWHERE;
  return { place: readPlace(record), network: readNetwork(record), hostname: hostname(at(record, 'hostname')) };
}

const MAX_TEXT_LENGTH = 128;

function readPlace(record: object): Place | null {
  // In IPinfo's ASN database `country` is where the network is registered, not where the address is.
  if (typeof at(record, 'asn') === 'string' && typeof at(record, 'name') === 'string') return null;
  const country = first(
    country2,
    at(record, 'country', 'iso_code'),
    at(record, 'registered_country', 'iso_code'),
    at(record, 'country_code'),
    at(record, 'geo', 'country_code'),
    at(record, 'country'),
  );
  if (country === null) return null;
  const [latitude, longitude] = coordinates(record);
  return {
    city: first(text, at(record, 'city', 'names', 'en'), at(record, 'city'), at(record, 'geo', 'city')),
    region: first(
      text,
      at(record, 'subdivisions', '0', 'names', 'en'),
      at(record, 'region'),
      at(record, 'state1'),
      at(record, 'geo', 'region'),
    ),
    country,
    latitude,
    longitude,
    postalCode: first(
      text,
      at(record, 'postal', 'code'),
      at(record, 'postal'),
      at(record, 'postal_code'),
      at(record, 'postcode'),
      at(record, 'geo', 'postal_code'),
    ),
  };
}

function coordinates(record: object): [latitude: number, longitude: number] | [null, null] {
  const loc = at(record, 'loc');
  const [locLatitude, locLongitude] = typeof loc === 'string' ? loc.split(',') : [];
  const latitude = coordinate(record, 90, ['latitude', 'lat'], locLatitude);
  const longitude = coordinate(record, 180, ['longitude', 'lng'], locLongitude);
  // The point off Africa where databases put what they cannot place.
  const isNowhere = latitude === null || longitude === null || (latitude === 0 && longitude === 0);
  return isNowhere ? [null, null] : [latitude, longitude];
}

function coordinate(record: object, limit: number, [name, short]: readonly [string, string], inLoc: unknown) {
  return first(
    degrees(limit),
    at(record, 'location', name),
    at(record, name),
    at(record, short),
    at(record, 'geo', name),
    inLoc,
  );
}

function readNetwork(record: object): AutonomousSystem | null {
  const org = /^(AS\d+)\s+(.+)$/.exec(first(text, at(record, 'org')) ?? '');
  const asn = first(
    asNumber,
    at(record, 'asn', 'asn'),
    at(record, 'asn'),
    at(record, 'as', 'asn'),
    at(record, 'autonomous_system_number'),
    at(record, 'traits', 'autonomous_system_number'),
    org?.[1],
  );
  if (asn === null) return null;
  return {
    asn,
    organization: first(
      text,
      at(record, 'asn', 'name'),
      at(record, 'as', 'name'),
      at(record, 'as_name'),
      at(record, 'autonomous_system_organization'),
      at(record, 'traits', 'autonomous_system_organization'),
      at(record, 'asn_organization'),
      at(record, 'name'),
      org?.[2],
    ),
    type: first(
      asnType,
      at(record, 'asn', 'type'),
      at(record, 'as', 'type'),
      at(record, 'as_type'),
      at(record, 'type'),
      at(record, 'traits', 'user_type'),
    ),
  };
}

/** What is found by going down the own properties of objects and arrays; `undefined` when there is none such. */
function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

function first<T>(read: (value: unknown) => T | null, ...candidates: readonly unknown[]): T | null {
  for (const candidate of candidates) {
    const value = read(candidate);
    if (value !== null) return value;
  }
  return null;
}

function text(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  // Control characters would reach terminals and CSV files.
  const printable = value.replace(/\p{Cc}+/gu, ' ').trim();
  return printable === '' ? null : printable.slice(0, MAX_TEXT_LENGTH);
}

function country2(value: unknown): string | null {
  return typeof value === 'string' && /^[A-Z]{2}$/.test(value) ? value : null;
}

function degrees(limit: number): (value: unknown) => number | null {
  return (value) => {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    return typeof number === 'number' && Math.abs(number) <= limit ? number : null;
  };
}

/** `15169`, `AS15169`; AS 0 is nobody's (RFC 7607). */
function asNumber(value: unknown): number | null {
  const number = typeof value === 'string' ? Number(/^(?:AS)?(\d{1,10})$/.exec(value)?.[1]) : value;
  return typeof number === 'number' && Number.isInteger(number) && number > 0 && number < 2 ** 32 ? number : null;
}

/** Names of IPinfo (ASN type) and MaxMind (user type). */
const TYPE_NAMES: ReadonlyMap<unknown, AsnType> = new Map([
  ['hosting', 'hosting'],
  ['content_delivery_network', 'hosting'],
  ['isp', 'isp'],
  ['residential', 'isp'],
  ['cellular', 'isp'],
  ['dialup', 'isp'],
  ['business', 'business'],
  ['education', 'education'],
  ['college', 'education'],
  ['school', 'education'],
  ['library', 'education'],
  ['government', 'government'],
  ['gov', 'government'],
  ['military', 'government'],
]);

function asnType(value: unknown): AsnType | null {
  return TYPE_NAMES.get(value) ?? null;
}

/**
 * A host name as it may be shown: letters, digits, hyphens, underscores and dots, at most 253 characters, lower case. Names
 * in the DNS are chosen by strangers, so anything else is `null`.
 */
export function hostname(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const name = value.toLowerCase().replace(/\.$/, '');
  const isName = name.length <= 253 && name.split('.').every((label) => /^[a-z0-9_-]{1,63}$/.test(label));
  return isName && isIP(name) === 0 ? name : null;
}
