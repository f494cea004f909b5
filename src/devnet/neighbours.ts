import { seededRandom, shuffled } from './random.ts';

const RANDOM_NEIGHBOURS = 16;

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
