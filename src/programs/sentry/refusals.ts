import type { PeerState } from '../../actors/peer.ts';
import { ipOfMultiaddr } from '../../consensus/address-policy.ts';
import { clientOf } from '../../consensus/client.ts';
import type { Cause } from '../../consensus/failure.ts';

/** Whether nodes refuse us that did not before: then it is us, and not they. */

/** What a node means that has something against us. Who is full, or gone, is not among them. */
const REFUSALS: ReadonlySet<Cause> = new Set(['banned', 'fault', 'rate_limited', 'irrelevant_network']);
/** What an address family says of our own connection to it. */
const UNREACHED: ReadonlySet<Cause> = new Set([
  'host_unreachable',
  'net_unreachable',
  'addr_unassignable',
  'timeout',
  'refused',
]);
/** Of those that were reached before: so many are no accident … */
const REFUSING_SHARE = 1 / 3;
const UNREACHED_SHARE = 2 / 3;
/** … if there are so many at all. */
const FEWEST_OF_CLIENT = 3;
const FEWEST_OF_FAMILY = 10;

interface Tally {
  known: number;
  refusing: number;
}

/** Why most of what is refused is our own doing, for people; `null` when it is not. */
export function refusedByMany(peers: Iterable<PeerState>): string | null {
  const clients = new Map<string, Tally>();
  const families = new Map<string, Tally>();
  for (const { observations, agent, addresses, lastFailure } of peers) {
    if (observations === 0) continue;
    count(clients, clientOf(agent ?? ''), lastFailure !== null && REFUSALS.has(lastFailure.cause));
    const ip = ipOfMultiaddr(addresses[0] ?? '');
    if (ip === null) continue;
    count(
      families,
      ip.includes(':') ? 'IPv6' : 'IPv4',
      lastFailure?.stage === 'dial' && UNREACHED.has(lastFailure.cause),
    );
  }
  const reasons = [
    ...over(clients, FEWEST_OF_CLIENT, REFUSING_SHARE).map(
      ([client, { refusing, known }]) =>
        `${refusing} of ${known} ${client === 'unknown' ? 'unnamed' : client} nodes refuse us that did not before: they may have banned this crawler`,
    ),
    ...over(families, FEWEST_OF_FAMILY, UNREACHED_SHARE).map(
      ([family, { refusing, known }]) =>
        `${refusing} of ${known} nodes with ${family} addresses cannot be reached any more: look at the ${family} connection of this machine`,
    ),
  ];
  return reasons.join('; ') || null;
}

function count(tallies: Map<string, Tally>, key: string, isRefusing: boolean): void {
  const tally = tallies.get(key) ?? { known: 0, refusing: 0 };
  tally.known++;
  if (isRefusing) tally.refusing++;
  tallies.set(key, tally);
}

function over(tallies: ReadonlyMap<string, Tally>, fewest: number, share: number): [string, Tally][] {
  return [...tallies].filter(([, { known, refusing }]) => known >= fewest && refusing > share * known);
}
