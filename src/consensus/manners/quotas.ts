import type { Client } from '../client.ts';

/** How often clients let one peer id ask, across all its connections; whoever asks more is answered late, scored down or banned. */

/** What a crawler asks of peers, or tells them. */
export const ASKED = ['status', 'metadata', 'ping', 'goodbye'] as const;
export type Asked = (typeof ASKED)[number];

export interface Quota {
  readonly count: number;
  readonly windowMs: number;
}

/** `all` counts what is asked of any kind. `null` where a client sets no limit. */
export type Quotas = Readonly<Record<Asked | 'all', Quota | null>>;

const quota = (count: number, windowMs: number): Quota => ({ count, windowMs });
const NONE: Quotas = { status: null, metadata: null, ping: null, goodbye: null, all: null };

/** Lighthouse 8.0.1 lighthouse_network/src/rpc/config.rs; Lodestar 1.44 reqresp/protocols and rateLimit.ts have the same. */
const SPECIFIED: Quotas = {
  ...NONE,
  status: quota(5, 15_000),
  metadata: quota(2, 5_000),
  ping: quota(2, 10_000),
  goodbye: quota(1, 10_000),
};

/** One a second after a first few: Prysm sync/rate_limiter.go. So many in the time that the first few take to come back. */
const bucket = (burst: number): Quota => quota(burst, burst * 1_000);

export const QUOTAS: Readonly<Record<Exclude<Client, 'unknown'>, Quotas>> = {
  Lighthouse: SPECIFIED,
  // Grandine's eth2_libp2p has Lighthouse's file.
  Grandine: SPECIFIED,
  Lodestar: SPECIFIED,
  Prysm: { status: bucket(5), metadata: bucket(5), ping: bucket(5), goodbye: bucket(1), all: quota(20, 2_000) },
  // eth2/P2PConfig.java: 100 requests a minute; a Goodbye does not count.
  Teku: { ...NONE, all: quota(100, 60_000) },
  // networking/eth2_network.nim: 8 a second, and then it waits.
  Nimbus: { ...NONE, all: quota(8, 1_000) },
  // cl/sentinel/handlers/rate_limiter.go of 2026; earlier ones have none.
  Caplin: { ...SPECIFIED, metadata: quota(2, 10_000) },
};

/** All that somebody must keep to who does not know yet which client it talks to. */
export function strictest(asked: Asked | 'all'): readonly Quota[] {
  const all = Object.values(QUOTAS).flatMap((quotas) => quotas[asked] ?? []);
  return all.filter((one) => !all.some((other) => isCoveredBy(one, other)));
}

/** Whether keeping to the other means keeping to this one too. */
function isCoveredBy(one: Quota, other: Quota): boolean {
  if (one.count === other.count && one.windowMs === other.windowMs) return false;
  return other.count <= one.count && other.windowMs >= one.windowMs;
}
