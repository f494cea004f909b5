import { describe, expect, test } from 'vitest';
import { networkClock } from '../../src/consensus/clock.ts';
import type { Status } from '../../src/consensus/containers.ts';
import { createFinalityView } from '../../src/consensus/finality.ts';
import { builtInNetwork } from '../../src/consensus/networks.ts';

const network = builtInNetwork('mainnet');
const clock = networkClock(network);
const EPOCH = 420_000;
const NOW_MS = clock.epochStartMs(EPOCH) + 1_000;
const ROOT_A = 'aa'.repeat(32);
const ROOT_B = 'bb'.repeat(32);

function status(finalizedEpoch: number, finalizedRoot: string, headSlot = EPOCH * 32): Status {
  return {
    forkDigest: '8c9f62fe',
    finalizedRoot,
    finalizedEpoch,
    headRoot: 'cc'.repeat(32),
    headSlot,
    earliestAvailableSlot: 0,
  };
}

function viewAfter(...claims: [peer: string, epoch: number, root: string, headSlot?: number][]) {
  const view = createFinalityView(network, clock);
  for (const [peer, epoch, root, headSlot] of claims) view.heard(peer, status(epoch, root, headSlot), NOW_MS);
  return view.ownStatus(NOW_MS);
}

const NOTHING = { finalizedEpoch: 0, finalizedRoot: '00'.repeat(32), headSlot: 0 };

describe('what we say of our chain', () => {
  test('is nothing at first, on the current fork', () => {
    expect(viewAfter()).toMatchObject({ ...NOTHING, forkDigest: '8c9f62fe' });
  });

  test('is nothing while fewer than three peers agree', () => {
    expect(viewAfter(['a', EPOCH - 2, ROOT_A], ['b', EPOCH - 2, ROOT_A])).toMatchObject(NOTHING);
    expect(viewAfter(['a', EPOCH - 2, ROOT_A], ['a', EPOCH - 2, ROOT_A], ['a', EPOCH - 2, ROOT_A])).toMatchObject(
      NOTHING,
    );
    expect(viewAfter(['a', EPOCH - 2, ROOT_A], ['b', EPOCH - 2, ROOT_B], ['c', EPOCH - 3, ROOT_A])).toMatchObject(
      NOTHING,
    );
  });

  test('is the newest checkpoint that three agree on, with a head at the checkpoint itself', () => {
    const own = viewAfter(
      ['a', EPOCH - 3, ROOT_A],
      ['b', EPOCH - 3, ROOT_A],
      ['c', EPOCH - 3, ROOT_A],
      ['d', EPOCH - 2, ROOT_B],
      ['e', EPOCH - 2, ROOT_B],
      ['f', EPOCH - 2, ROOT_B],
    );
    expect(own).toMatchObject({
      finalizedEpoch: EPOCH - 2,
      finalizedRoot: ROOT_B,
      headRoot: ROOT_B,
      headSlot: (EPOCH - 2) * 32,
      earliestAvailableSlot: (EPOCH - 2) * 32,
    });
  });

  test('is the root of the majority when two are claimed for one epoch', () => {
    const own = viewAfter(
      ['a', EPOCH - 2, ROOT_A],
      ['b', EPOCH - 2, ROOT_A],
      ['c', EPOCH - 2, ROOT_A],
      ['d', EPOCH - 2, ROOT_B],
      ['e', EPOCH - 2, ROOT_B],
      ['f', EPOCH - 2, ROOT_B],
      ['g', EPOCH - 2, ROOT_B],
    );
    expect(own.finalizedRoot).toBe(ROOT_B);
  });

  test('takes no checkpoint that is younger than finality can be, however many claim it', () => {
    const liars = Array.from({ length: 10 }, (_, index): [string, number, string] => [
      `liar-${index}`,
      EPOCH + 5,
      ROOT_B,
    ]);
    expect(viewAfter(...liars)).toMatchObject(NOTHING);
    const almost = Array.from({ length: 10 }, (_, index): [string, number, string] => [
      `liar-${index}`,
      EPOCH - 1,
      ROOT_B,
    ]);
    expect(viewAfter(...almost)).toMatchObject(NOTHING);
  });

  test('never repeats a head that a peer claims, be it 2^53', () => {
    const own = viewAfter(
      ['a', EPOCH - 2, ROOT_A, Number.MAX_SAFE_INTEGER],
      ['b', EPOCH - 2, ROOT_A, Number.MAX_SAFE_INTEGER],
      ['c', EPOCH - 2, ROOT_A, Number.MAX_SAFE_INTEGER],
    );
    expect(own.headSlot).toBe((EPOCH - 2) * 32);
  });

  test('follows a peer that changes its mind, and forgets the oldest of very many', () => {
    const view = createFinalityView(network, clock);
    for (const peer of ['a', 'b', 'c']) view.heard(peer, status(EPOCH - 3, ROOT_A), NOW_MS);
    for (const peer of ['a', 'b', 'c']) view.heard(peer, status(EPOCH - 2, ROOT_B), NOW_MS);
    expect(view.ownStatus(NOW_MS).finalizedRoot).toBe(ROOT_B);
    for (let index = 0; index < 600; index++) view.heard(`other-${index}`, status(EPOCH - 4, ROOT_A), NOW_MS);
    expect(view.ownStatus(NOW_MS).finalizedEpoch).toBe(EPOCH - 4);
  });
});
