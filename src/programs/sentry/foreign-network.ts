import type { Network } from '../../consensus/network.ts';
import { BUILT_IN_NETWORKS, builtInNetwork } from '../../consensus/networks.ts';
import type { SentryStats } from '../../streams/sentry.ts';

type Round = Pick<NonNullable<SentryStats['lastRound']>, 'ours' | 'otherDigests'>;

/** Networks that are named; the rest are counted together. */
const NAMED = 3;

/**
 * That a whole crawl round has met nobody of our network, and who was met instead, for people; `null` where somebody was, or
 * nobody at all.
 */
export function foreignNetwork(round: Round | null, network: Network): string | null {
  if (round === null || round.ours > 0) return null;
  const others = Object.entries(round.otherDigests).filter(([digest]) => digest !== 'none');
  const met = others.reduce((sum, [, nodes]) => sum + nodes, 0);
  if (met === 0) return null;
  const named = [...Map.groupBy(others, ([digest]) => nameOf(digest))]
    .map(([name, digests]) => ({ name, nodes: digests.reduce((sum, [, nodes]) => sum + nodes, 0) }))
    .sort((a, b) => b.nodes - a.nodes);
  const rest = named.slice(NAMED).reduce((sum, { nodes }) => sum + nodes, 0);
  const parts = [
    ...named.slice(0, NAMED).map(({ name, nodes }) => `${nodes} of ${name}`),
    ...(rest === 0 ? [] : [`${rest} of others`]),
  ];
  return `none of the ${met} nodes met is of ${network.name}: ${parts.join(', ')}; look at --network and its bootnodes`;
}

/** The built-in networks by their digests, of now and of earlier forks. Computed once: readiness is asked for by anybody. */
const NAMES: ReadonlyMap<string, string> = new Map(
  BUILT_IN_NETWORKS.flatMap((name) => builtInNetwork(name).forkSteps.map(({ digest }) => [digest, name] as const)),
);

const nameOf = (digest: string) => NAMES.get(digest) ?? `a network with fork digest ${digest}`;
