import { describe, expect, test } from 'vitest';
import { networkClock } from '../../src/consensus/clock.ts';
import type { Status } from '../../src/consensus/containers.ts';
import { createFinalityView } from '../../src/consensus/finality.ts';
import { builtInNetwork } from '../../src/consensus/networks.ts';

const clock = networkClock(builtInNetwork('mainnet'));
const EPOCH = 420_000;
const NOW_MS = clock.epochStartMs(EPOCH) + 1_000;
const ROOT_A = 'aa'.repeat(32);
const ROOT_B = 'bb'.repeat(32);

function status(finalizedEpoch: number, finalizedRoot: string): Status {
  return {
    forkDigest: '8c9f62fe',
    finalizedRoot,
    finalizedEpoch,
    headRoot: 'cc'.repeat(32),
    headSlot: EPOCH * 32,
    earliestAvailableSlot: 0,
  };
}

function agreedAfter(...claims: [peer: string, epoch: number, root: string][]) {
  const view = createFinalityView(clock);
  for (const [peer, epoch, root] of claims) view.heard(peer, status(epoch, root), NOW_MS);
  return view.agreed(NOW_MS);
}

describe('the checkpoint that peers agree on', () => {
  test.each<[string, [peer: string, epoch: number, root: string][]]>([
    ['nobody has said anything', []],
    [
      'two say the same',
      [
        ['a', EPOCH - 2, ROOT_A],
        ['b', EPOCH - 2, ROOT_A],
      ],
    ],
    [
      'one says it three times',
      [
        ['a', EPOCH - 2, ROOT_A],
        ['a', EPOCH - 2, ROOT_A],
        ['a', EPOCH - 2, ROOT_A],
      ],
    ],
    [
      'three say different things',
      [
        ['a', EPOCH - 2, ROOT_A],
        ['b', EPOCH - 2, ROOT_B],
        ['c', EPOCH - 3, ROOT_A],
      ],
    ],
    [
      'three have nothing final',
      [
        ['a', 0, '00'.repeat(32)],
        ['b', 0, '00'.repeat(32)],
        ['c', 0, '00'.repeat(32)],
      ],
    ],
  ])('is none while %s', (_, claims) => {
    expect(agreedAfter(...claims)).toBeNull();
  });

  test('is the newest that three agree on', () => {
    const agreed = agreedAfter(
      ['a', EPOCH - 3, ROOT_A],
      ['b', EPOCH - 3, ROOT_A],
      ['c', EPOCH - 3, ROOT_A],
      ['d', EPOCH - 2, ROOT_B],
      ['e', EPOCH - 2, ROOT_B],
      ['f', EPOCH - 2, ROOT_B],
    );
    expect(agreed).toEqual({ epoch: EPOCH - 2, root: ROOT_B });
  });

  test('is the root of the majority when two are claimed for one epoch', () => {
    const agreed = agreedAfter(
      ['a', EPOCH - 2, ROOT_A],
      ['b', EPOCH - 2, ROOT_A],
      ['c', EPOCH - 2, ROOT_A],
      ['d', EPOCH - 2, ROOT_B],
      ['e', EPOCH - 2, ROOT_B],
      ['f', EPOCH - 2, ROOT_B],
      ['g', EPOCH - 2, ROOT_B],
    );
    expect(agreed?.root).toBe(ROOT_B);
  });

  test.each([EPOCH + 5, EPOCH - 1])(
    'is none that is younger than finality can be, however many claim it: %d',
    (epoch) => {
      const liars = Array.from({ length: 10 }, (_, index): [string, number, string] => [
        `liar-${index}`,
        epoch,
        ROOT_B,
      ]);
      expect(agreedAfter(...liars)).toBeNull();
    },
  );

  test('follows peers that change their mind, and forgets the oldest of very many', () => {
    const view = createFinalityView(clock);
    for (const peer of ['a', 'b', 'c']) view.heard(peer, status(EPOCH - 3, ROOT_A), NOW_MS);
    for (const peer of ['a', 'b', 'c']) view.heard(peer, status(EPOCH - 2, ROOT_B), NOW_MS);
    expect(view.agreed(NOW_MS)?.root).toBe(ROOT_B);
    for (let index = 0; index < 600; index++) view.heard(`other-${index}`, status(EPOCH - 4, ROOT_A), NOW_MS);
    expect(view.agreed(NOW_MS)?.epoch).toBe(EPOCH - 4);
  });
});
