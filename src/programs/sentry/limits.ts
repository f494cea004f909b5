import type { CrowdLimits } from '../../consensus/address-policy.ts';
import type { Network } from '../../consensus/network.ts';
import type { SentryLimits } from '../../streams/sentry.ts';

/** How much at a time, and for how long. */

export const LIMITS = {
  visits: 256,
  inboundVisits: 64,
  crawlers: 64,
  heard: 1_024,
  peers: 100_000,
  waiting: 512,
  visitMs: 60_000,
  entriesPerPlace: { perIp: 64, perPrefix: 512 },
  askedPerPlace: { perIp: 64, perPrefix: 1_024 },
  dialsPerPlace: { perIp: 4, perPrefix: 16 },
  waitingPerPlace: { perIp: 4, perPrefix: 16 },
} as const satisfies SentryLimits;

export const TIMEOUT_MS = { dial: 10_000, request: 10_000, hello: 5_000, discovery: 30_000 } as const;

/** A visit needs one connection, an inbound one another; and there are those that wait. */
export const MAX_CONNECTIONS = 2 * (LIMITS.visits + LIMITS.inboundVisits) + LIMITS.waiting;

/** The gossip picture is watched for a third of a slot at most: long enough to be whole, too short to blur two slots. */
const DWELL_SLOTS = 1 / 3;
const MIN_DWELL_MS = 150;
const MAX_DWELL_MS = 4_000;

export function defaultDwellMs({ slotMs }: Pick<Network, 'slotMs'>): number {
  return Math.min(Math.max(slotMs * DWELL_SLOTS, MIN_DWELL_MS), MAX_DWELL_MS);
}

/** Every node of a devnet computes on this machine: more at a time would only make them late. */
const LOOPBACK = { visits: 32, crawlers: 4 } as const;

/** On loopback all nodes are neighbours, which there says nothing of them. */
export function limitsFor({ isPublic }: Pick<Network, 'isPublic'>): SentryLimits {
  const wide = (limits: CrowdLimits): CrowdLimits => ({ perIp: limits.perIp, perPrefix: Number.POSITIVE_INFINITY });
  if (isPublic) return LIMITS;
  return {
    ...LIMITS,
    ...LOOPBACK,
    entriesPerPlace: wide(LIMITS.entriesPerPlace),
    askedPerPlace: wide(LIMITS.askedPerPlace),
    dialsPerPlace: wide({ perIp: LOOPBACK.visits, perPrefix: 0 }),
    waitingPerPlace: wide({ perIp: LIMITS.waiting, perPrefix: 0 }),
  };
}
