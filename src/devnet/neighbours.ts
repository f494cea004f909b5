import type { Reach } from './kinds.ts';
import { seededRandom, shuffled } from './random.ts';

const RANDOM_NEIGHBOURS = 16;
/** So many nodes with both families know of each node that has only IPv6; the others could not reach it. */
const BRIDGES = 6;

/**
 * Whose records each node's discv5 table begins with: the nodes before and after it on a ring, so that the graph is
 * connected, and some others.
 */
export function drawNeighbours(nodes: number, seed: number): number[][] {
  const everyone = Array.from({ length: nodes }, (_, index) => index);
  return everyone.map((self) => {
    const others = shuffled(seededRandom('neighbours', seed, self), everyone).slice(0, RANDOM_NEIGHBOURS);
    const chosen = new Set([(self + 1) % nodes, (self + nodes - 1) % nodes, ...others]);
    chosen.delete(self);
    return [...chosen];
  });
}

/**
 * The neighbours that a node can have: nobody knows one without an address, and of one with IPv6 alone only those know
 * that have it too, which are made to. The ring is of those with IPv4, so that it stays whole.
 */
export function acquaintances(nodes: readonly { readonly reach: Reach }[], seed: number): number[][] {
  const indexes = [...nodes.keys()];
  const reachOf = (index: number) => nodes[index]?.reach;
  const askable = indexes.filter((index) => reachOf(index) !== 'nat' && reachOf(index) !== 'ipv6-only');
  const drawn = drawNeighbours(askable.length, seed).map((known) => known.map((at) => askable[at] ?? 0));
  const known = new Map(askable.map((self, at) => [self, drawn[at] ?? []]));

  for (const self of indexes.filter((index) => reachOf(index) === 'nat')) {
    known.set(
      self,
      shuffled(seededRandom('known from behind a router', seed, self), askable).slice(0, RANDOM_NEIGHBOURS),
    );
  }
  const bridges = askable.filter((index) => reachOf(index) === 'dual-stack');
  for (const self of indexes.filter((index) => reachOf(index) === 'ipv6-only')) {
    const chosen = shuffled(seededRandom('bridges', seed, self), bridges).slice(0, BRIDGES);
    known.set(self, chosen);
    for (const bridge of chosen) known.get(bridge)?.unshift(self);
  }
  return indexes.map((index) => known.get(index) ?? []);
}
