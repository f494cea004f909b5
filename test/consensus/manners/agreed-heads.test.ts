import { expect, it } from 'vitest';
import type { Status } from '../../../src/consensus/containers.ts';
import { agreedHeads } from '../../../src/consensus/manners/agreed-heads.ts';
import { status } from '../../support/streams/link.ts';

const A = 'aa'.repeat(32);
const B = 'bb'.repeat(32);
const head = (headRoot: string, headSlot: number): Status => ({ ...status(), headRoot, headSlot });

type Claim = [peer: string, root: string, slot: number];

function bestAfter(currentSlot: number, claims: readonly Claim[]) {
  const heads = agreedHeads();
  for (const [peer, root, slot] of claims) heads.heard(peer, head(root, slot));
  return heads.best(currentSlot);
}

const three = (root: string, slot: number): Claim[] => ['x', 'y', 'z'].map((peer) => [peer, root, slot]);

it.each<[string, number, Claim[]]>([
  ['nobody has told any', 9, []],
  ['two have told it', 9, three(A, 5).slice(1)],
  ['one has told it three times', 9, [0, 1, 2].map((): Claim => ['x', A, 5])],
  ['it had one slot to spread', 6, three(A, 5)],
  [
    'three name it at different slots',
    99,
    [
      ['x', A, 5],
      ['y', A, 6],
      ['z', A, 7],
    ],
  ],
  ['it is no block at all', 9, three('00'.repeat(32), 0)],
])('there is none while %s', (_, currentSlot, claims) => {
  expect(bestAfter(currentSlot, claims)).toBeNull();
});

it('is what three have told, two slots later', () => {
  expect(bestAfter(7, three(A, 5))).toEqual({ headRoot: A, headSlot: 5 });
});

it('is the newest of several, and an older one until that has spread', () => {
  const claims = [...three(A, 5), ...three(B, 6)];
  expect(bestAfter(8, claims)).toEqual({ headRoot: B, headSlot: 6 });
  expect(bestAfter(7, claims)).toEqual({ headRoot: A, headSlot: 5 });
});

it('is not hidden by somebody who has told its root first, at another slot', () => {
  expect(bestAfter(9, [['liar', A, 1], ...three(A, 5)])).toEqual({ headRoot: A, headSlot: 5 });
});

it('is forgotten after 64 others', () => {
  const others = Array.from({ length: 64 }, (_, index): Claim => ['w', index.toString(16).padStart(64, 'c'), index]);
  expect(bestAfter(9, [...three(A, 5), ...others.slice(1)])).toEqual({ headRoot: A, headSlot: 5 });
  expect(bestAfter(9, [...three(A, 5), ...others])).toBeNull();
});
