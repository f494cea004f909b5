import { isIP } from 'node:net';
import { fromAbortable } from '../../streams/flow/from-abortable.ts';
import {
  type GeoChain,
  type GeoLocator,
  type Located,
  type Location,
  LocatorUnavailableError,
  NOWHERE,
  PARTS,
  type Part,
} from '../../streams/ports/geo-locator.ts';
import type { Logger } from '../logging/logger.ts';
import { asnTypeOf } from './asn-type.ts';
import { reasonOf } from './geo-error.ts';
import { mergeLocations, missingParts } from './merge.ts';
import { sameIp } from './same-ip.ts';

/** After a failure that says nothing about when to come back. */
const RETRY_MS = 60_000;

/**
 * Asks the sources in their order, each only while it is for a part that is still missing, so that a source that costs
 * something is spared what one before it knows. What kind a network is follows from its name where no source says it.
 *
 * @param shortcomings what was wrong with the sources when they were opened
 */
export function geoChain(
  locators: readonly GeoLocator[],
  logger: Logger,
  shortcomings: readonly string[] = [],
): GeoChain {
  const order = locators.map((locator) => locator.name).join(',');
  const versionOf = (asked: readonly string[]) => `${order} ${asked.join(' ')}`;
  const versions = new Map<string, string>();
  const refreshVersion = async (locator: GeoLocator): Promise<string> => {
    const version = `${locator.name}@${await locator.version()}`;
    versions.set(locator.name, version);
    return version;
  };
  const failing = new Map<string, string>();

  const ask = async (text: string, signal: AbortSignal): Promise<Located> => {
    const ip = isIP(text) === 0 ? null : sameIp(text);
    let location: Location = NOWHERE;
    let maxAgeMs: number | null = null;
    const asked: string[] = [];
    const sources: string[] = [];
    const provisional = new Set<Part>();
    for (const locator of locators) {
      const wanted = missingParts(location).filter((part) => locator.parts.includes(part));
      if (wanted.length === 0) continue;
      let answer: Location = NOWHERE;
      let ageMs = locator.maxAgeMs;
      asked.push(versions.get(locator.name) ?? (await refreshVersion(locator)));
      try {
        if (ip !== null) answer = await locator.locate(ip, signal);
        failing.delete(locator.name);
      } catch (error) {
        signal.throwIfAborted();
        ageMs = error instanceof LocatorUnavailableError ? error.retryAfterMs : RETRY_MS;
        for (const part of wanted) provisional.add(part);
        if (!failing.has(locator.name)) {
          failing.set(locator.name, reasonOf(error));
          logger.warn({ source: locator.name, reason: reasonOf(error) }, 'a source of locations fails');
        }
      }
      if (missingParts(location).some((part) => answer[part] !== null)) sources.push(locator.name);
      location = mergeLocations(location, answer);
      if (ageMs !== null) maxAgeMs = Math.min(maxAgeMs ?? ageMs, ageMs);
    }
    return {
      location: withType(location),
      sources,
      provisional: PARTS.filter((part) => provisional.has(part)),
      version: versionOf(asked),
      maxAgeMs,
    };
  };

  return {
    sources: locators.map((locator) => locator.name),
    attributions: [
      ...new Map(locators.flatMap((locator) => locator.attributions).map((one) => [one.url, one])).values(),
    ],
    async validVersions() {
      return subsetsOf(await Promise.all(locators.map(refreshVersion))).map(versionOf);
    },
    locate: (ip) => fromAbortable((signal) => ask(ip, signal)),
    problems: () => [...shortcomings, ...[...failing].map(([name, reason]) => `${name}: ${reason}`)],
    async close() {
      await Promise.all(locators.map((locator) => locator.close()));
    },
  };
}

function withType(location: Location): Location {
  const { network } = location;
  if (network === null || network.type !== null) return location;
  return { ...location, network: { ...network, type: asnTypeOf(network.asn, network.organization) } };
}

/** Which sources are asked depends on what those before them know, so an answer may be of any of them. */
function subsetsOf(items: readonly string[]): string[][] {
  return items.reduce<string[][]>((subsets, item) => subsets.flatMap((subset) => [subset, [...subset, item]]), [[]]);
}
