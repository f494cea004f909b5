import { CLIENT_NAMES, type ClientName } from './clients.ts';
import { type Behaviour, FAULT_NAMES } from './faults.ts';
import { seededRandom, shuffled } from './random.ts';

/** How the nodes of a devnet differ besides their clients: how they can be reached, how they are run, what is wrong. */

export const REACHES = ['tcp', 'dual-stack', 'quic-only', 'ipv6-only', 'mplex-only', 'nat'] as const;
/** `dual-stack` has IPv4 and IPv6, TCP and QUIC; `nat` has no address and dials others; all but these have one way. */
export type Reach = (typeof REACHES)[number];

export const TRAITS = [
  'subscribe-all',
  'supernode',
  'semi-supernode',
  'caplin',
  'external-validator-client',
  'prefix-subnets',
] as const;
/** How an operator runs the node, or what its version does that the specification does not say. */
export type Trait = (typeof TRAITS)[number];

export interface Kind {
  readonly behaviour: Behaviour;
  readonly reach: Reach;
  readonly traits: readonly Trait[];
}

/** These are named as bootnodes, so there is nothing special about them. */
export const BOOTNODES = 3;

const FAULTY_SHARE = 0.15;
/** Shares of all nodes; of each there is at least one. */
const REACH_SHARES = [
  ['nat', 0.04],
  ['dual-stack', 0.05],
  ['ipv6-only', 0.03],
  ['quic-only', 0.04],
  ['mplex-only', 0.04],
] as const;
const OPERATOR_SHARES = [
  ['subscribe-all', 0.03],
  ['supernode', 0.04],
  ['semi-supernode', 0.02],
  ['caplin', 0.02],
] as const;

/** A devnet where every node is honest and has an IPv4 address and TCP. */
export function plainKinds(clients: readonly ClientName[]): Kind[] {
  return clients.map((client) => ({ behaviour: 'honest', reach: usualReach(client), traits: [] }));
}

/**
 * A devnet of every kind, as far as there are nodes for it: with 100 there is at least one of each fault, each reach
 * and each trait, and every client has an honest node that is reached over TCP. A pure function of its arguments.
 */
export function mixedKinds(clients: readonly ClientName[], seed: number): Kind[] {
  const kinds: Kind[] = plainKinds(clients).map((kind, index) =>
    clients[index] === 'Lighthouse' ? { ...kind, traits: ['prefix-subnets'] } : kind,
  );
  const usual = CLIENT_NAMES.map((client) =>
    clients.findIndex((other, index) => other === client && index >= BOOTNODES),
  );
  const free = new Set(
    shuffled(
      seededRandom('kinds', seed),
      clients.map((_, index) => index),
    ).filter((index) => index >= BOOTNODES && !usual.includes(index)),
  );
  const take = (count: number, suits: (client: ClientName) => boolean, change: (kind: Kind, nth: number) => Kind) => {
    const chosen = [...free].filter((index) => suits(clients[index] as ClientName)).slice(0, count);
    for (const [nth, index] of chosen.entries()) {
      free.delete(index);
      kinds[index] = change(kinds[index] as Kind, nth);
    }
  };
  const share = (part: number) => Math.max(1, Math.round(part * clients.length));
  const any = () => true;
  // js-libp2p, which Lodestar is built on, is here without QUIC.
  const notLodestar = (client: ClientName) => client !== 'Lodestar';

  const faults = shuffled(seededRandom('faults', seed), FAULT_NAMES);
  const faulty = Math.min(Math.max(faults.length, share(FAULTY_SHARE)), Math.floor(clients.length / 2));
  take(faulty, any, (kind, nth) => ({ ...kind, behaviour: faults[nth % faults.length] ?? 'honest' }));
  for (const [reach, part] of REACH_SHARES) {
    take(share(part), reach === 'nat' ? any : notLodestar, (kind) => ({ ...kind, reach }));
  }
  // Lodestar's way of subscribing to all subnets differs from that of the others, so one of each is needed.
  take(
    1,
    (client) => client === 'Lodestar',
    (kind) => ({ ...kind, traits: [...kind.traits, 'subscribe-all'] }),
  );
  for (const [trait, part] of OPERATOR_SHARES) {
    take(share(part), notLodestar, (kind) => ({
      ...kind,
      traits: trait === 'caplin' ? [trait] : [...kind.traits, trait],
    }));
  }
  return kinds;
}

/** Lodestar speaks no other muxer. */
function usualReach(client: ClientName): Reach {
  return client === 'Lodestar' ? 'mplex-only' : 'tcp';
}
