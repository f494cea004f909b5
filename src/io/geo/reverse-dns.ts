import { Resolver } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import { asyncScheduler, type SchedulerLike } from 'rxjs';
import { isPublicUnicast } from '../../consensus/address-policy.ts';
import { type GeoLocator, LocatorUnavailableError, NOWHERE } from '../../streams/ports/geo-locator.ts';
import { reasonOf } from './geo-error.ts';
import { createPace } from './pace.ts';
import { hostname } from './read-location.ts';

export interface ReverseDnsOptions {
  /** `address` or `address:port`; those of the system unless given. */
  readonly servers?: readonly string[];
  readonly requestsPerSecond?: number;
  readonly timeoutMs?: number;
  readonly scheduler?: SchedulerLike;
}

const MAX_AGE_MS = 30 * 86_400_000;

/** Servers of strangers are often broken for long; asking them again soon helps nobody. */
const RETRY_MS = 6 * 3_600_000;

/** What the DNS says when an address has no name. */
const NO_NAME: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA']);

/** Host names of addresses (PTR records). Each look-up tells a name server which address is of interest. */
export function reverseDnsLocator({
  servers = [],
  requestsPerSecond = 20,
  timeoutMs = 3_000,
  scheduler = asyncScheduler,
}: ReverseDnsOptions): GeoLocator {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 });
  if (servers.length > 0) resolver.setServers(servers);
  const pace = createPace(requestsPerSecond, scheduler);
  return {
    name: 'reverse-dns',
    parts: ['hostname'],
    attributions: [],
    maxAgeMs: MAX_AGE_MS,
    version: async () => '1',
    async locate(ip, signal) {
      if (!isPublicUnicast(ip)) return NOWHERE;
      await pace.turn(signal);
      try {
        // `reverse` would read the hosts file too, and call an outage a missing name.
        const names = await resolver.resolvePtr(arpaName(ip));
        return { ...NOWHERE, hostname: names.map(hostname).find((name) => name !== null) ?? null };
      } catch (error) {
        if (NO_NAME.has((error as NodeJS.ErrnoException).code)) return NOWHERE;
        throw new LocatorUnavailableError(`no answer from the DNS: ${reasonOf(error)}`, RETRY_MS);
      }
    },
    close: async () => resolver.cancel(),
  };
}

/** RFC 1035, 3.5 and RFC 3596, 2.5. */
function arpaName(ip: string): string {
  const bytes = ipaddr.parse(ip).toByteArray();
  if (bytes.length === 4) return `${bytes.toReversed().join('.')}.in-addr.arpa`;
  const digits = bytes.flatMap((byte) => [byte >> 4, byte & 15]).map((digit) => digit.toString(16));
  return `${digits.toReversed().join('.')}.ip6.arpa`;
}
