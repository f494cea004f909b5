import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addCoverage,
  declaresAll,
  NO_SUBSCRIBE_ALL_EVIDENCE,
  type SubnetCoverage,
  type SubscribeAllEvidence,
  showsAll,
} from '../../../src/consensus/estimators/subscribe-all.ts';

type Seen = readonly [epoch: number, coverage: SubnetCoverage];

function evidenceOf(seen: readonly Seen[]): SubscribeAllEvidence {
  return seen.reduce(
    (evidence, [epoch, coverage]) => addCoverage(evidence, epoch, coverage),
    NO_SUBSCRIBE_ALL_EVIDENCE,
  );
}

describe('a node subscribed to all subnets', () => {
  it.each<[string, Seen[], boolean]>([
    ['nothing seen', [], false],
    ['declared once', [[7, 'declared']], true],
    [
      'declared, then taken back',
      [
        [7, 'declared'],
        [8, 'partial'],
      ],
      false,
    ],
    [
      'taken back and declared again',
      [
        [7, 'declared'],
        [8, 'partial'],
        [9, 'declared'],
      ],
      true,
    ],
    [
      'all 64 in two epochs',
      [
        [7, 'full'],
        [8, 'full'],
      ],
      false,
    ],
    [
      'all 64 three times in one epoch',
      [
        [7, 'full'],
        [7, 'full'],
        [7, 'full'],
      ],
      false,
    ],
    [
      'all 64 in three epochs',
      [
        [7, 'full'],
        [8, 'full'],
        [12, 'full'],
      ],
      true,
    ],
    [
      'all 64 in three epochs, but for one between them',
      [
        [7, 'full'],
        [8, 'partial'],
        [9, 'full'],
        [10, 'full'],
      ],
      false,
    ],
    [
      'all 64 in three epochs, and later no more',
      [
        [7, 'full'],
        [8, 'full'],
        [9, 'full'],
        [10, 'partial'],
      ],
      false,
    ],
  ])('%s', (_, seen, expected) => {
    const evidence = evidenceOf(seen);
    expect(declaresAll(evidence) || showsAll(evidence)).toBe(expected);
  });

  it('is told the same from observations in any order, and again from the same', () => {
    const seen = fc.tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom('partial', 'declared', 'full'));
    const shuffled = fc
      .array(seen, { maxLength: 12 })
      .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
    fc.assert(
      fc.property(shuffled, ([list, others]) => {
        expect(evidenceOf(others)).toEqual(evidenceOf(list));
        expect(evidenceOf([...list, ...others])).toEqual(evidenceOf(list));
      }),
    );
  });
});
