import { createLogger, type Logger } from '../../../src/io/logging/logger.ts';
import { type GeoLocator, type Location, NOWHERE } from '../../../src/streams/ports/geo-locator.ts';

export const NEVER_ABORTED = new AbortController().signal;

export const silent: Logger = createLogger({ level: 'silent', format: 'json' });

/** A logger whose lines can be looked at. */
export function recordingLogger(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  return { logger: createLogger({ level: 'trace', format: 'json', write: (line) => lines.push(line) }), lines };
}

export function place(country: string, city: string | null = null): Location {
  return {
    ...NOWHERE,
    place: { city, region: null, country, latitude: null, longitude: null, postalCode: null },
  };
}

export function network(asn: number, organization: string | null = null): Location {
  return { ...NOWHERE, network: { asn, organization, type: null } };
}

/** A source that says what a function says, and counts what it was asked. */
export function fakeLocator(
  name: string,
  answer: (ip: string) => Location | Promise<Location>,
  fields: Partial<GeoLocator> = {},
): GeoLocator & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    name,
    parts: ['place', 'network'],
    attributions: [],
    maxAgeMs: null,
    version: async () => '1',
    locate: async (ip) => {
      asked.push(ip);
      return answer(ip);
    },
    close: async () => {},
    ...fields,
    asked,
  };
}
