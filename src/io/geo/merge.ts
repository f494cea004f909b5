import { type Location, PARTS, type Part } from '../../streams/ports/geo-locator.ts';

/** The first location, with the parts it lacks from the second. */
export function mergeLocations(first: Location, second: Location): Location {
  return {
    place: first.place ?? second.place,
    network: first.network ?? second.network,
    hostname: first.hostname ?? second.hostname,
  };
}

export function missingParts(location: Location): Part[] {
  return PARTS.filter((part) => location[part] === null);
}
